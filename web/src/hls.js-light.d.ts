/** The light build of hls.js comes without types of its own; it is a part of the whole. */
declare module "hls.js/light" {
  export * from "hls.js";
  export { default } from "hls.js";
}
