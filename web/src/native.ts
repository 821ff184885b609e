/** The browser's own HLS as a transport. It keeps itself at live; what it does is seen from outside alone. */

import { CameraPoll } from "./camerapoll.ts";
import { askCondition } from "./condition.ts";
import { bufferedRanges, onPicture } from "./picture.ts";
import type { Failure, Flow, Transport, TransportContext, TransportStats } from "./transport.ts";
import { under } from "./transport.ts";

const MIME = "application/vnd.apple.mpegurl";

/** Further behind the newest than this, in seconds, playback jumps: it stopped for a while, and browsers let it be. */
const FAR_BEHIND = 15;
/** It jumps to this far behind the newest, in seconds. */
const BACK_AT = 3;
/** From one growth of what is buffered to the next, in ms, at the least: whole segments, where it takes no parts. */
const SEGMENT_MS = 4_000;

/** Whether this browser plays HLS by itself, and these codecs in it. */
export function playsNatively(codecs = ""): boolean {
  if (!("document" in globalThis)) return false;
  const mime = codecs ? `${MIME}; codecs="${codecs}"` : MIME;
  return document.createElement("video").canPlayType(mime) !== "";
}

/** One attempt. */
export class NativeHls implements Transport {
  readonly #context: TransportContext;
  readonly #playlist: URL;
  readonly #listeners = new AbortController();
  readonly #poll: CameraPoll;
  #stopPictures: (() => void) | null = null;
  #startedAt = 0;
  #pictured = false;
  #end = 0;
  #stalls = 0;
  #flow: Flow = { heardAt: null, mediaAt: null, samples: 0, sampleIntervalMs: SEGMENT_MS, hasVideo: true };
  #over = false;

  /** Plays the HLS playlist at `path` below the stream's base URL. */
  constructor(context: TransportContext, path: string) {
    this.#context = context;
    this.#playlist = under(context.url, path);
    this.#poll = new CameraPoll({
      ask: () => askCondition(context.url),
      told: (camera) => context.sink.camera(camera),
      refused: (failure) => this.#fail(failure),
    });
  }

  start(): void {
    const { video } = this.#context;
    this.#startedAt = performance.now();
    const options = { signal: this.#listeners.signal };
    video.addEventListener("error", () => this.#failed(), options);
    video.addEventListener("progress", () => this.#look(), options);
    video.addEventListener("waiting", () => this.#waiting(), options);
    video.src = this.#playlist.href;
    this.#stopPictures = onPicture(video, () => this.#shown());
    this.#context.play();
  }

  stop(): void {
    this.#over = true;
    this.#listeners.abort();
    this.#stopPictures?.();
    this.#poll.stop();
  }

  tick(now: number): void {
    if (this.#over) return;
    this.#look();
    this.#poll.tick(now, this.#flow.mediaAt ?? this.#startedAt);
    const { video } = this.#context;
    const behind = this.#newest() - video.currentTime;
    if (this.#pictured && !video.seeking && behind > FAR_BEHIND) video.currentTime = this.#newest() - BACK_AT;
  }

  flow(): Flow {
    const heardAt = Math.max(this.#flow.heardAt ?? 0, this.#poll.heardAt ?? 0);
    return { ...this.#flow, heardAt: heardAt || null };
  }

  stats(): TransportStats {
    const { currentTime } = this.#context.video;
    const behind = this.#pictured ? this.#newest() - currentTime : null;
    const range = bufferedRanges(this.#context.video).find(
      (r) => currentTime >= r.start && currentTime <= r.end,
    );
    return {
      latencyMs: behind === null ? null : Math.max(0, Math.round(behind * 1000)),
      targetMs: null,
      bufferedMs: range ? Math.round((range.end - currentTime) * 1000) : 0,
      stalls: this.#stalls,
      jumpsBack: 0,
      lost: null,
      via: null,
      bitrate: 0,
      codec: null,
      resolution: null,
    };
  }

  /** The end of what there is to play, as far as the browser tells. */
  #newest(): number {
    const { seekable } = this.#context.video;
    const end = seekable.length > 0 ? seekable.end(seekable.length - 1) : 0;
    return Math.max(this.#end, Number.isFinite(end) ? end : 0);
  }

  /** Media that came shows as more that is buffered. */
  #look(): void {
    const end = bufferedRanges(this.#context.video).at(-1)?.end ?? 0;
    if (end === this.#end) return;
    this.#end = end;
    this.#flow.heardAt = performance.now();
    this.#flow.mediaAt = this.#flow.heardAt;
    this.#flow.samples++;
    this.#poll.media();
  }

  #shown(): void {
    if (this.#pictured) return;
    this.#pictured = true;
    this.#context.sink.picture();
  }

  #waiting(): void {
    if (this.#pictured && !this.#context.video.seeking) this.#stalls++;
  }

  #failed(): void {
    const { error } = this.#context.video;
    const unplayable = error?.code === MediaError.MEDIA_ERR_SRC_NOT_SUPPORTED && this.#flow.mediaAt !== null;
    const message = error?.message
      ? `The browser can't play this: ${error.message}`
      : "The browser can't play this";
    this.#fail({ reason: "decoder", message, retry: unplayable ? "other-mode" : "backoff" });
  }

  #fail(failure: Failure): void {
    if (this.#over) return;
    this.stop();
    this.#context.sink.failed(failure);
  }
}
