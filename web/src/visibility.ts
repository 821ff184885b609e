/** Whether anybody can see an element: nothing is fetched or decoded for nobody. */

/** Out of sight for this long, in ms, before it counts: switching tabs and scrolling past cost nothing. */
const LINGER_MS = 5_000;

/** Watches one element. */
export class Visibility {
  readonly #element: HTMLVideoElement;
  readonly #changed: () => void;
  #listeners = new AbortController();
  #observer: IntersectionObserver | null = null;
  #intersects = true;
  #inPicture = false;
  #leaving: ReturnType<typeof setTimeout> | null = null;
  #visible = true;

  /** `changed` is called when {@link visible} changes. */
  constructor(element: HTMLVideoElement, changed: () => void) {
    this.#element = element;
    this.#changed = changed;
  }

  /** True while somebody may be looking, and for some seconds after. */
  get visible(): boolean {
    return this.#visible;
  }

  /** Begins to watch. */
  start(): void {
    this.stop();
    this.#listeners = new AbortController();
    const options = { signal: this.#listeners.signal };
    const look = (): void => this.#look();
    document.addEventListener("visibilitychange", look, options);
    globalThis.addEventListener("pageshow", look, options);
    globalThis.addEventListener("pagehide", () => this.#leave(), options);
    this.#element.addEventListener("enterpictureinpicture", () => this.#inPictureIs(true), options);
    this.#element.addEventListener("leavepictureinpicture", () => this.#inPictureIs(false), options);
    if ("IntersectionObserver" in globalThis) {
      this.#observer = new IntersectionObserver((entries) => {
        this.#intersects = entries.at(-1)?.isIntersecting ?? true;
        this.#look();
      });
      this.#observer.observe(this.#element);
    }
    this.#intersects = true;
    this.#visible = document.visibilityState !== "hidden";
  }

  /** Ends to watch. */
  stop(): void {
    this.#listeners.abort();
    this.#observer?.disconnect();
    this.#observer = null;
    this.#stay();
  }

  #inPictureIs(inPicture: boolean): void {
    this.#inPicture = inPicture;
    this.#look();
  }

  #look(): void {
    const seen = this.#inPicture || (this.#intersects && document.visibilityState !== "hidden");
    if (!seen) {
      this.#leaving ??= setTimeout(() => this.#leave(), LINGER_MS);
      return;
    }
    this.#stay();
    this.#set(true);
  }

  #leave(): void {
    this.#stay();
    this.#set(false);
  }

  #stay(): void {
    if (this.#leaving !== null) clearTimeout(this.#leaving);
    this.#leaving = null;
  }

  #set(visible: boolean): void {
    if (this.#visible === visible) return;
    this.#visible = visible;
    this.#changed();
  }
}
