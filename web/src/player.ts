/**
 * `<lunette-player>`: the element. It knows the page (attributes, visibility, autoplay, buttons, keys) and
 * leaves the stream to a {@link Session}. docs/player.md is its reference.
 */

import { hls } from "./hls.ts";
import { mse } from "./mse.ts";
import { Overlay } from "./overlay.ts";
import { decodedFrames, droppedFrames } from "./picture.ts";
import { Session } from "./session.ts";
import type { PlayerState, PlayerStats, StateDetail } from "./state.ts";
import { StatsPanel } from "./statspanel.ts";
import { applyStyles } from "./styles.ts";
import { type TransportKind, withToken } from "./transport.ts";
import { Visibility } from "./visibility.ts";
import { webrtc } from "./webrtc.ts";

export type { PlayerState, PlayerStats, StateDetail };

/** All there are, in the order of preference. Another transport is a file, and a line here. */
const TRANSPORTS: readonly TransportKind[] = [webrtc, mse, hls];

const IDLE: StateDetail = { state: "idle", reason: null, message: null };

/** Phones pause what they hide, and say so as late as this after it is back, in ms. */
const RETURN_MS = 1_000;

/** Who stopped it, if it is stopped. */
type Stop = "user" | "autoplay" | null;

/** The custom element. */
export class LunettePlayer extends HTMLElement {
  static readonly observedAttributes = ["src", "token", "modes", "muted", "controls", "background", "stats"];

  /** The `<video>`, for reading; its source and position belong to the player. */
  readonly video = document.createElement("video");
  readonly #overlay: Overlay;
  readonly #panel: StatsPanel;
  readonly #visibility = new Visibility(this.video, () => this.#reconsider());
  #listeners = new AbortController();
  #session: Session | null = null;
  #stopped: Stop = null;
  #silenced = false;
  #returnedAt = Number.NEGATIVE_INFINITY;
  #detail = IDLE;

  constructor() {
    super();
    const root = this.attachShadow({ mode: "open" });
    applyStyles(root);
    this.video.playsInline = true;
    this.video.part.add("video");
    this.video.setAttribute("aria-label", "Live video");
    root.append(this.video);
    this.#panel = new StatsPanel(root, () => this.stats());
    this.#overlay = new Overlay(root, {
      togglePlay: () => (this.paused ? this.play() : this.pause()),
      toggleSound: () => this.#toggleSound(),
      toggleStats: () => this.#toggleStats(),
      toggleFullscreen: () => this.#toggleFullscreen(),
    });
    this.video.addEventListener("click", () => this.#clicked());
    this.video.addEventListener("volumechange", () => this.#volumeChanged());
    this.video.addEventListener("pause", () => this.#pausedByBrowser());
    this.addEventListener("keydown", (event) => this.#key(event));
  }

  /** The stream's base URL: `https://host/stream/front`, or relative to the page. */
  get src(): string {
    return this.getAttribute("src") ?? "";
  }

  set src(src: string) {
    this.setAttribute("src", src);
  }

  /** Who may watch: sent with all requests, as `?token=`. Another one counts from the next request on. */
  get token(): string {
    return this.getAttribute("token") ?? "";
  }

  set token(token: string) {
    this.setAttribute("token", token);
  }

  /** Which transports to try, in order, comma separated; all there are by default. */
  get modes(): string {
    return this.getAttribute("modes") ?? TRANSPORTS.map((kind) => kind.mode).join(",");
  }

  set modes(modes: string) {
    this.setAttribute("modes", modes);
  }

  /** Whether it is silent just now. */
  get muted(): boolean {
    return this.video.muted;
  }

  set muted(muted: boolean) {
    this.#silenced = false;
    this.video.muted = muted;
  }

  /** From 0 to 1. */
  get volume(): number {
    return this.video.volume;
  }

  set volume(volume: number) {
    this.video.volume = volume;
  }

  /** Whether it was stopped, by the viewer or by a browser that wants a click first. */
  get paused(): boolean {
    return this.#stopped !== null;
  }

  /** What it does. */
  get state(): PlayerState {
    return this.#detail.state;
  }

  /** Why. */
  get detail(): StateDetail {
    return this.#detail;
  }

  /** Plays after a pause, at live. */
  play(): void {
    this.#stopped = null;
    this.#reconsider();
    if (this.#session) this.#playVideo();
  }

  /** Stops, and frees the connection; the last picture stays. */
  pause(): void {
    this.#stop("user");
  }

  /** Connects anew, at once. */
  reload(): void {
    this.#dropSession();
    this.#reconsider();
  }

  /** Measurements, for now. */
  stats(): PlayerStats {
    if (this.#session) return this.#session.stats();
    return {
      mode: null,
      via: null,
      latencyMs: null,
      targetMs: null,
      bufferedMs: 0,
      stalls: 0,
      jumpsBack: 0,
      lost: null,
      decodedFrames: decodedFrames(this.video),
      droppedFrames: droppedFrames(this.video),
      bitrate: 0,
      resolution: null,
      codec: null,
      reconnects: 0,
    };
  }

  connectedCallback(): void {
    this.video.muted = this.hasAttribute("muted");
    if (switchedOff(this, "autoplay")) this.#stopped ??= "user";
    this.#listeners = new AbortController();
    const options = { signal: this.#listeners.signal };
    globalThis.addEventListener("online", () => this.#session?.retryNow(), options);
    document.addEventListener("visibilitychange", () => this.#returned(), options);
    this.#visibility.start();
    this.#showStats();
    this.#reconsider();
  }

  disconnectedCallback(): void {
    this.#listeners.abort();
    this.#visibility.stop();
    this.#panel.show(false);
    this.#dropSession();
    this.#release();
    this.#show(IDLE);
  }

  attributeChangedCallback(name: string, before: string | null, after: string | null): void {
    if (before === after || !this.isConnected) return;
    if (name === "muted") this.muted = after !== null;
    if (name === "stats") this.#showStats();
    const url = this.#url();
    if (name === "token" && url) this.#session?.moved(url);
    if (name === "src" || name === "modes") {
      this.#dropSession();
      this.#release();
    }
    this.#reconsider();
  }

  /** Starts or stops, as things are. */
  #reconsider(): void {
    if (!this.isConnected) return;
    const url = this.#url();
    if (!url) this.#rest(IDLE);
    else if (this.#stopped) this.#rest({ state: "paused", reason: this.#stopped, message: null });
    else if (!this.#visibility.visible && !this.hasAttribute("background")) {
      this.#rest({ state: "paused", reason: "hidden", message: null });
    } else {
      this.#session ??= this.#newSession(url);
      this.#session.start();
      this.#show(this.#session.detail);
    }
  }

  #rest(detail: StateDetail): void {
    this.#session?.stop();
    this.#show(detail);
  }

  #newSession(url: URL): Session {
    const modes = this.modes.split(",").map((mode) => mode.trim());
    const wanted = modes.map((mode) => TRANSPORTS.find((kind) => kind.mode === mode));
    return new Session(url, {
      video: this.video,
      transports: wanted.filter((kind) => kind !== undefined),
      play: () => this.#playVideo(),
      changed: (detail) => this.#show(detail),
    });
  }

  #dropSession(): void {
    this.#session?.stop();
    this.#session = null;
  }

  /** Lets go of the picture too: it belongs to another stream. */
  #release(): void {
    this.video.removeAttribute("src");
    this.video.replaceChildren(); // hls.js may have put a <source> there
    this.video.load();
  }

  #url(): URL | null {
    try {
      return this.src ? withToken(new URL(this.src, this.baseURI), this.token) : null;
    } catch {
      return null;
    }
  }

  /** Browsers let a page play sound only after a click; silent video they mostly let it play. */
  async #playVideo(): Promise<void> {
    try {
      await this.video.play();
    } catch (error) {
      if (!(error instanceof DOMException) || error.name !== "NotAllowedError") return;
      if (this.video.muted) {
        this.#stop("autoplay");
        return;
      }
      this.video.muted = true;
      this.#silenced = true;
      await this.#playVideo();
    }
  }

  #stop(by: Stop): void {
    this.#stopped = by;
    this.video.pause();
    this.#reconsider();
  }

  #returned(): void {
    this.#returnedAt = performance.now();
    const playing = this.#session !== null && !this.paused && this.#visibility.visible;
    if (playing && document.visibilityState === "visible" && this.video.paused) this.#playVideo();
  }

  /** Headphones unplugged, a media key, the button of a picture-in-picture window. */
  #pausedByBrowser(): void {
    const { state } = this;
    if (state === "paused" || state === "idle" || !this.#visibility.visible) return;
    if (document.visibilityState !== "visible" || !this.isConnected) return;
    if (!this.video.paused || this.video.error) return; // what can't be played pauses too
    if (performance.now() - this.#returnedAt < RETURN_MS) this.#playVideo();
    else this.#stop("user");
  }

  #clicked(): void {
    if (this.paused) this.play();
    else if (this.#silenced) this.#toggleSound();
  }

  #toggleSound(): void {
    this.muted = !this.muted;
  }

  #volumeChanged(): void {
    if (!this.video.muted) this.#silenced = false;
    this.#showControls();
  }

  #toggleStats(): void {
    this.toggleAttribute("stats");
  }

  #showStats(): void {
    this.#panel.show(this.hasAttribute("stats"));
  }

  #toggleFullscreen(): void {
    const video = this.video as HTMLVideoElement & { webkitEnterFullscreen?: () => void };
    if (document.fullscreenElement === this) document.exitFullscreen().catch(() => undefined);
    else if (this.requestFullscreen) this.requestFullscreen().catch(() => undefined);
    else video.webkitEnterFullscreen?.(); // iPhones
  }

  #key(event: KeyboardEvent): void {
    if (event.altKey || event.ctrlKey || event.metaKey || switchedOff(this, "controls")) return;
    const onButton = event.composedPath()[0] instanceof HTMLButtonElement;
    const key = event.key.toLowerCase();
    if (key === "k" || (key === " " && !onButton)) this.paused ? this.play() : this.pause();
    else if (key === "m") this.#toggleSound();
    else if (key === "f") this.#toggleFullscreen();
    else if (key === "i") this.#toggleStats();
    else return;
    event.preventDefault();
  }

  #show(detail: StateDetail): void {
    const before = this.#detail;
    this.#detail = detail;
    this.#overlay.show(detail);
    this.#showControls();
    const same =
      before.state === detail.state && before.reason === detail.reason && before.message === detail.message;
    if (same) return;
    this.dispatchEvent(new CustomEvent("lunette-state", { detail: { ...detail } }));
  }

  #showControls(): void {
    this.#overlay.controls({
      controls: !switchedOff(this, "controls"),
      paused: this.paused,
      muted: this.video.muted,
      silenced: this.#silenced,
    });
  }
}

/** Whether an attribute says no; its absence says yes. */
function switchedOff(element: Element, attribute: string): boolean {
  return ["off", "false"].includes(element.getAttribute(attribute) ?? "");
}

if (!customElements.get("lunette-player")) customElements.define("lunette-player", LunettePlayer);

declare global {
  interface HTMLElementTagNameMap {
    "lunette-player": LunettePlayer;
  }
  interface HTMLElementEventMap {
    "lunette-state": CustomEvent<StateDetail>;
  }
}
