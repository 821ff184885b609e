/**
 * Keeps one stream playing: picks the transport, watches it, tries again. The one owner of retries.
 */

import { Backoff } from "./backoff.ts";
import { forgetBlocked, isBlocked, noteBlocked } from "./blocked.ts";
import { Modes } from "./modes.ts";
import { decodedFrames, droppedFrames } from "./picture.ts";
import type { PlayerState, PlayerStats, StateDetail } from "./state.ts";
import type { Camera, Failure, Memory, Mode, Transport, TransportKind } from "./transport.ts";
import { type Verdict, Watchdog } from "./watchdog.ts";

/** How often things are looked at, in ms. */
const TICK_MS = 200;
/** A connection that shows pictures for this long, in ms, has proven itself. */
const PROVEN_MS = 5_000;
/** How long to wait, in ms, where nothing suggests that it will get better soon. */
const SLOW_RETRY_MS = 15_000;

const TROUBLE: Record<Exclude<Verdict, "fine" | "stalled">, string> = {
  unreachable: "The server doesn't answer",
  silent: "Nothing comes any more",
  frozen: "The picture froze",
  slept: "Welcome back",
};

/** What a session is given. */
export interface SessionOptions {
  video: HTMLVideoElement;
  /** In the order of preference; those that this browser doesn't support are passed over. */
  transports: readonly TransportKind[];
  /** Has the `<video>` play. */
  play(): void;
  /** The state changed. */
  changed(detail: StateDetail): void;
}

/** One stream on one `<video>`. */
export class Session {
  readonly #options: SessionOptions;
  readonly #backoff = new Backoff();
  readonly #watchdog = new Watchdog();
  readonly #memory: Memory = { unusable: new Set(), distance: 0, nativeHls: false };
  #url: URL;
  readonly #modes: Modes;
  /** The mode of the last attempt. */
  #mode: Mode | null = null;
  #transport: Transport | null = null;
  #ticking: ReturnType<typeof setInterval> | null = null;
  #retrying: ReturnType<typeof setTimeout> | null = null;
  #startedAt = 0;
  #attempts = 0;
  #camera: Camera = { state: "connecting" };
  #picturedAt: number | null = null;
  #everPictured = false;
  #stalled = false;
  #failure: Failure | null = null;
  #detail: StateDetail = { state: "idle", reason: null, message: null };

  constructor(url: URL, options: SessionOptions) {
    this.#url = url;
    this.#options = options;
    this.#modes = new Modes(options.transports.filter((kind) => kind.supported()).map((kind) => kind.mode));
    if (isBlocked(url.host, Date.now())) this.#modes.failed("webrtc", "other-mode", performance.now());
  }

  get detail(): StateDetail {
    return this.#detail;
  }

  /** Plays, or goes on playing. */
  start(): void {
    if (this.#ticking !== null) return;
    this.#memory.unusable.clear();
    this.#ticking = setInterval(() => this.#tick(), TICK_MS);
    this.#attempt();
  }

  /** Frees the connection; the last picture stays. {@link start} begins again. */
  stop(): void {
    if (this.#ticking !== null) clearInterval(this.#ticking);
    this.#ticking = null;
    this.#endAttempt();
    this.#watchdog.pause();
    this.#backoff.succeeded();
    this.#failure = null;
  }

  /** The same stream at another URL: the next attempt goes there, at once if the last one failed. */
  moved(url: URL): void {
    this.#url = url;
    if (this.#retrying !== null && this.#ticking !== null) this.#attempt();
  }

  /** If it waits before another attempt, that is made now: the network is said to be back. */
  retryNow(): void {
    this.#modes.forget();
    forgetBlocked();
    if (this.#retrying !== null && this.#ticking !== null) this.#attempt();
  }

  stats(): PlayerStats {
    const { video } = this.#options;
    const stats = this.#transport?.stats();
    const decoded = video.videoWidth > 0 ? `${video.videoWidth}x${video.videoHeight}` : null;
    return {
      mode: this.#transport ? this.#mode : null,
      via: stats?.via ?? null,
      latencyMs: stats?.latencyMs ?? null,
      targetMs: stats?.targetMs ?? null,
      bufferedMs: stats?.bufferedMs ?? 0,
      stalls: stats?.stalls ?? 0,
      jumpsBack: stats?.jumpsBack ?? 0,
      lost: stats?.lost ?? null,
      decodedFrames: decodedFrames(video),
      droppedFrames: droppedFrames(video),
      bitrate: stats?.bitrate ?? 0,
      resolution: decoded ?? stats?.resolution ?? null,
      codec: stats?.codec ?? null,
      reconnects: Math.max(0, this.#attempts - 1),
    };
  }

  #attempt(): void {
    this.#endAttempt();
    this.#mode = this.#modes.current(performance.now());
    const kind = this.#options.transports.find(({ mode }) => mode === this.#mode);
    if (!kind) {
      this.#show("failed", "unsupported", "This browser can't play live video");
      return;
    }
    this.#attempts++;
    this.#startedAt = performance.now();
    this.#camera = { state: "connecting" };
    // A source of this kind goes before those of the others.
    if (this.#options.video.srcObject) this.#options.video.srcObject = null;
    const transport = kind.create({
      url: this.#url,
      video: this.#options.video,
      memory: this.#memory,
      only: this.#options.transports.filter((other) => other.supported()).length === 1,
      play: () => this.#options.play(),
      sink: {
        camera: (camera) => this.#cameraIs(camera),
        picture: () => this.#pictured(),
        failed: (failure) => this.#failed(failure),
      },
    });
    this.#transport = transport;
    transport.start();
    this.#update();
  }

  #endAttempt(): void {
    if (this.#retrying !== null) clearTimeout(this.#retrying);
    this.#retrying = null;
    this.#transport?.stop();
    this.#transport = null;
    this.#picturedAt = null;
    this.#stalled = false;
  }

  #failed(failure: Failure): void {
    this.#endAttempt();
    this.#failure = failure;
    if (failure.reason === "udp-blocked") noteBlocked(this.#url.host, Date.now());
    if (this.#mode !== null && this.#modes.failed(this.#mode, failure.retry, performance.now())) {
      this.#attempt();
      return;
    }
    const delay = this.#backoff.failed(Math.random());
    const wait = isHopeless(failure) ? SLOW_RETRY_MS : delay;
    this.#retrying = setTimeout(() => this.#attempt(), wait);
    this.#update();
  }

  #cameraIs(camera: Camera): void {
    // Each dialling of an absent camera is announced; it stays absent until it is there.
    if (camera.state === "connecting" && this.#camera.state === "offline") return;
    this.#camera = camera;
    this.#update();
  }

  #pictured(): void {
    this.#picturedAt = performance.now();
    this.#everPictured = true;
    if (this.#camera.state === "connecting") this.#camera = { state: "live" };
    this.#update();
  }

  #tick(): void {
    const transport = this.#transport;
    if (!transport) return;
    const now = performance.now();
    transport.tick(now);
    if (this.#transport !== transport) return;
    const { video } = this.#options;
    const verdict = this.#watchdog.check({
      now,
      startedAt: this.#startedAt,
      flow: transport.flow(),
      offline: this.#camera.state === "offline" ? this.#camera : null,
      frames: decodedFrames(video),
      position: video.currentTime,
    });
    if (this.#picturedAt !== null && now - this.#picturedAt > PROVEN_MS && verdict === "fine") this.#proven();
    this.#stalled = verdict === "stalled";
    if (verdict === "fine" || verdict === "stalled") this.#update();
    else this.#failed({ reason: verdict, message: TROUBLE[verdict], retry: "backoff" });
  }

  #proven(): void {
    this.#backoff.succeeded();
    this.#modes.succeeded();
    this.#failure = null;
  }

  #update(): void {
    const failure = this.#failure;
    if (this.#retrying !== null && failure && isHopeless(failure)) {
      this.#show("failed", failure.reason, failure.message);
    } else if (this.#camera.state === "offline" && this.#transport) {
      this.#show("offline", this.#camera.reason, this.#camera.message);
    } else if (this.#picturedAt === null) {
      const again = this.#everPictured || this.#backoff.failures > 1;
      this.#show(again ? "reconnecting" : "connecting", failure?.reason ?? null, failure?.message ?? null);
    } else if (this.#stalled) {
      this.#show("stalled", "silent", "Nothing new comes from the camera");
    } else {
      this.#show("live", null, null);
    }
  }

  #show(state: PlayerState, reason: string | null, message: string | null): void {
    const last = this.#detail;
    if (last.state === state && last.reason === reason && last.message === message) return;
    this.#detail = { state, reason, message };
    this.#options.changed(this.#detail);
  }
}

/** Nothing suggests that it will get better soon. */
function isHopeless({ retry }: Failure): boolean {
  return retry === "slowly" || retry === "other-mode";
}
