/**
 * Keeps a `<video>` at live: does what a {@link LiveBuffer} advises, and tells it what happens. Common to the
 * transports that play through a MediaSource.
 */

import { LiveBuffer, type Range } from "./buffer.ts";
import { onPicture } from "./picture.ts";
import type { TransportStats } from "./transport.ts";

/** Playback that ran dry for less than this, in ms, should have kept a greater distance from live. */
const SHORT_WAIT_MS = 800;

/** What is played. */
export interface Followed {
  /** What can be played. */
  ranges(): Range[];
  /** Whether there is something that isn't in the ranges yet. */
  appending(): boolean;
  /** The first picture since {@link Follower.begin} is on screen. */
  pictured(): void;
}

/** One `<video>` that plays one source after the other. */
export class Follower {
  readonly live = new LiveBuffer();
  readonly #video: HTMLVideoElement;
  readonly #followed: Followed;
  readonly #listeners = new AbortController();
  #stopPictures: (() => void) | null = null;
  #pictured = false;
  #soughtAt: number | null = null;
  #jumpsBack = 0;
  #waitingSince: number | null = null;
  #over = false;

  constructor(video: HTMLVideoElement, followed: Followed) {
    this.#video = video;
    this.#followed = followed;
    const options = { signal: this.#listeners.signal };
    video.addEventListener("seeked", () => this.advise(), options);
    video.addEventListener("waiting", () => this.#waiting(), options);
    video.addEventListener("playing", () => this.#playing(), options);
  }

  /** Whether a picture has been shown since {@link begin}. */
  get pictured(): boolean {
    return this.#pictured;
  }

  /** The `<video>` was given another source. */
  begin(): void {
    this.#stopPictures?.();
    this.#pictured = false;
    this.live.reset();
    this.#stopPictures = onPicture(this.#video, () => this.#shown());
  }

  /** Leaves the `<video>` alone. */
  stop(): void {
    this.#over = true;
    this.#listeners.abort();
    this.#stopPictures?.();
  }

  /** To be called a few times a second, and when what can be played has changed. */
  advise(): void {
    if (this.#over) return;
    const video = this.#video;
    const now = performance.now() / 1000;
    const { seekTo, rate } = this.live.advise({
      now,
      currentTime: video.currentTime,
      ranges: this.#followed.ranges(),
      seeking: video.seeking,
      pictured: this.#pictured,
      appending: this.#followed.appending(),
    });
    if (video.playbackRate !== rate) video.playbackRate = rate;
    if (seekTo === null) return;
    if (this.#pictured && seekTo < video.currentTime) this.#jumpsBack++;
    this.#soughtAt = now;
    this.#waitingSince = null;
    video.currentTime = seekTo;
  }

  /** The part of a transport's measurements that is about the position. */
  stats(now: number): Omit<TransportStats, "bitrate" | "codec" | "resolution"> {
    const at = this.#video.currentTime;
    const lag = this.#pictured ? this.live.lag(at, now / 1000) : null;
    const range = this.#followed.ranges().find((r) => at >= r.start && at <= r.end);
    return {
      latencyMs: lag === null ? null : Math.max(0, Math.round(lag * 1000)),
      targetMs: Math.round(this.live.target() * 1000),
      bufferedMs: range ? Math.round((range.end - at) * 1000) : 0,
      stalls: this.live.stalls,
      jumpsBack: this.#jumpsBack,
      lost: null,
      via: null,
    };
  }

  #shown(): void {
    const now = performance.now() / 1000;
    if (this.#soughtAt !== null && !this.#video.seeking) {
      this.live.sought(now - this.#soughtAt);
      this.#soughtAt = null;
    }
    if (this.#pictured) return;
    this.#pictured = true;
    this.#followed.pictured();
    this.advise();
  }

  #waiting(): void {
    this.#waitingSince = this.#pictured && !this.#video.seeking ? performance.now() : null;
    this.advise();
  }

  /** A short wait was this player's fault, for staying too close to live; a long one was an outage. */
  #playing(): void {
    const now = performance.now();
    if (this.#waitingSince !== null && now - this.#waitingSince < SHORT_WAIT_MS)
      this.live.stalled(now / 1000);
    this.#waitingSince = null;
  }
}
