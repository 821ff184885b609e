/**
 * The MSE transport: `lunette.v1` over a WebSocket (docs/mse.md) into a {@link Media}, kept at live by a
 * {@link LiveBuffer}. One attempt: whatever goes wrong ends it, and {@link Session} decides what follows.
 */

import { isAudio, playableCodecs } from "./codecs.ts";
import { explainClosed } from "./condition.ts";
import { Follower } from "./follower.ts";
import { emptiesDecoder, FrameCheck } from "./framecheck.ts";
import { Media, type MediaFault, mediaSourceClass, trackInits } from "./media.ts";
import { decodedFrames } from "./picture.ts";
import { closeFailure, hello, type LeftOut, parseMessage, SUBPROTOCOL, type TrackInfo } from "./protocol.ts";
import { Rate } from "./rate.ts";
import { SoundCheck } from "./soundcheck.ts";
import type {
  Failure,
  Flow,
  Transport,
  TransportContext,
  TransportKind,
  TransportStats,
} from "./transport.ts";
import { under } from "./transport.ts";

/** How long a ManagedMediaSource may want nothing before the connection is given up, in ms. */
const UNWANTED_MS = 3_000;
/** A WebSocket that doesn't open within this, in ms, won't: some proxies just drop the request. */
const OPEN_TIMEOUT_MS = 2_500;

/** The table entry. */
export const mse: TransportKind = {
  mode: "mse",
  supported: () => mediaSourceClass() !== null && "WebSocket" in globalThis,
  create: (context) => new Mse(context),
};

class Mse implements Transport {
  readonly #context: TransportContext;
  readonly #listeners = new AbortController();
  readonly #follower: Follower;
  readonly #rate = new Rate();
  readonly #sound = new SoundCheck();
  readonly #frames = new FrameCheck();
  /** The stream has B-frames. */
  #reordered = false;
  #socket: WebSocket | null = null;
  #open = false;
  #media: Media | null = null;
  #announced: TrackInfo[] = [];
  #awaitsInit = false;
  #tracks: TrackInfo[] = [];
  #startedAt = 0;
  #explaining = false;
  #unwantedAt: number | null = null;
  #flow: Flow = { heardAt: null, mediaAt: null, samples: 0, sampleIntervalMs: 0, hasVideo: true };
  #over = false;

  constructor(context: TransportContext) {
    this.#context = context;
    this.#follower = new Follower(context.video, {
      ranges: () => this.#media?.ranges() ?? [],
      appending: () => this.#media?.appending ?? false,
      pictured: () => context.sink.picture(),
    });
    this.#follower.live.keepAway(context.memory.distance);
  }

  start(): void {
    const url = under(this.#context.url, "mse");
    url.protocol = url.protocol.replace(/^http/, "ws");
    const socket = new WebSocket(url, SUBPROTOCOL);
    socket.binaryType = "arraybuffer";
    const options = { signal: this.#listeners.signal };
    socket.addEventListener("open", () => this.#opened(), options);
    socket.addEventListener("message", (event) => this.#received(event.data), options);
    socket.addEventListener("close", (event) => this.#closed(event), options);
    this.#socket = socket;
    this.#startedAt = performance.now();

    // Opening a MediaSource takes the browser a moment: it does so while the socket connects. A video that
    // shows a picture keeps it until there is something to replace it with.
    if (this.#context.video.readyState < HTMLMediaElement.HAVE_CURRENT_DATA) this.#attach();
  }

  stop(): void {
    this.#over = true;
    this.#listeners.abort();
    this.#follower.stop();
    this.#media?.close();
    this.#media = null;
    this.#closeSocket();
  }

  tick(now: number): void {
    if (this.#over) return;
    if (this.#unwantedAt !== null && now - this.#unwantedAt > UNWANTED_MS) this.#closeSocket();
    if (!this.#open && now - this.#startedAt > OPEN_TIMEOUT_MS) this.#explain();
    this.#follower.advise();
    this.#media?.trim();
    if (this.#sound.missing(now)) this.#soundMissing();
    else this.#checkFrames(now);
  }

  flow(): Flow {
    // A browser that wants nothing is not a connection that died.
    if (this.#unwantedAt !== null) this.#flow.heardAt = performance.now();
    return this.#flow;
  }

  stats(): TransportStats {
    const now = performance.now();
    const shown = this.#tracks.find((track) => track.kind === "video") ?? this.#tracks[0];
    return {
      ...this.#follower.stats(now),
      bitrate: this.#rate.bitsPerSecond(now),
      codec: shown?.name ?? null,
      resolution: shown?.width && shown.height ? `${shown.width}x${shown.height}` : null,
    };
  }

  #closed(event: CloseEvent): void {
    if (!this.#socket) return;
    if (this.#open) this.#fail(closeFailure(event.code, event.reason));
    else this.#explain();
  }

  /** It didn't open: whose fault is it? */
  #explain(): void {
    if (this.#explaining) return;
    this.#explaining = true;
    explainClosed(this.#context.url).then((failure) => this.#open || this.#fail(failure));
  }

  #opened(): void {
    this.#open = true;
    const Source = mediaSourceClass();
    const unusable = this.#context.memory.unusable;
    const codecs = Source ? playableCodecs(Source).filter((codec) => !unusable.has(family(codec))) : [];
    this.#socket?.send(hello(codecs));
  }

  #received(data: unknown): void {
    const now = performance.now();
    this.#flow.heardAt = now;
    if (typeof data === "string") this.#text(data);
    else if (data instanceof ArrayBuffer) this.#binary(new Uint8Array(data), now);
  }

  #text(text: string): void {
    const message = parseMessage(text);
    if (message?.type === "state") {
      this.#context.sink.camera(message);
      this.#sound.restart();
    } else if (message?.type === "tracks") {
      this.#announced = message.tracks;
      this.#awaitsInit = true;
      this.#checkPicture(message.tracks, message.leftOut);
    }
  }

  #binary(bytes: Uint8Array, now: number): void {
    this.#rate.add(bytes.byteLength, now);
    if (this.#awaitsInit) this.#init(bytes);
    else this.#fragment(bytes, now);
  }

  #init(bytes: Uint8Array): void {
    const announced = this.#announced;
    this.#awaitsInit = false;
    const Source = mediaSourceClass();
    const refused = announced.filter((t) => !Source?.isTypeSupported(`${t.kind}/mp4; codecs="${t.codec}"`));
    if (refused.length > 0) {
      this.#leaveOut(refused, `This browser can't play ${refused.map((track) => track.name).join(", ")}`);
      return;
    }
    const inits = trackInits(bytes, new Map(announced.map((track) => [track.kind, track.codec])));
    if (!this.#media?.accepts(inits)) this.#attach();
    this.#media?.init(inits);
    for (const { kind, timescale } of this.#media?.tracks.values() ?? [])
      if (kind === "audio") this.#follower.live.sound(timescale);
    this.#tracks = announced;
    this.#flow.hasVideo = announced.some((track) => track.kind === "video");
    this.#sound.begin(announced.map((track) => track.kind));
  }

  #fragment(bytes: Uint8Array, now: number): void {
    const media = this.#media;
    if (!media || this.#tracks.length === 0) return;
    this.#flow.mediaAt = now;
    for (const sample of media.fragment(bytes)) {
      const kind = media.tracks.get(sample.trackId)?.kind;
      const lead = kind === "video" || !this.#flow.hasVideo;
      this.#follower.live.arrived(sample.trackId, lead, sample.start, now / 1000);
      if (kind === "video" || kind === "audio") this.#sound.sample(kind, sample.start, now);
      if (kind === "video" && sample.compositionOffset > 0) this.#noteReordering();
      if (!lead || this.#unwantedAt !== null) continue;
      this.#flow.samples++;
      this.#flow.sampleIntervalMs = Math.max(sample.duration * 1000, this.#flow.sampleIntervalMs * 0.99);
    }
  }

  #noteReordering(): void {
    const { memory } = this.#context;
    const unprepared = !this.#reordered && memory.distance === 0;
    this.#reordered = true;
    if (unprepared && emptiesDecoder(navigator.userAgent)) memory.distance = this.#follower.live.keepAway();
  }

  /** Gives the `<video>` a new MediaSource; what was played before can't be continued in it. */
  #attach(): void {
    this.#media?.close();
    this.#media = new Media(this.#context.video, {
      changed: () => this.#follower.advise(),
      failed: (reason, message) => this.#mediaFailed(reason, message),
      wanted: (wanted) => this.#wanted(wanted),
    });
    this.#follower.begin();
    this.#context.play();
  }

  #wanted(wanted: boolean): void {
    if (!wanted) {
      this.#unwantedAt ??= performance.now();
      return;
    }
    this.#unwantedAt = null;
    // Nothing came in between: another attempt starts at the newest keyframe.
    if (!this.#socket) this.#fail({ reason: "resumed", message: "Playing again", retry: "backoff" });
  }

  /** The sound alone of a camera is not what the viewer came for. */
  #checkPicture(tracks: TrackInfo[], leftOut: LeftOut[]): void {
    const picture = leftOut.find((track) => track.kind === "video");
    if (!picture || tracks.some((track) => track.kind === "video")) return;
    const message = `This browser can't play ${picture.name || "this camera's video"}`;
    this.#fail({ reason: "unplayable", message, retry: "other-mode" });
  }

  #checkFrames(now: number): void {
    const { video, memory } = this.#context;
    const steady =
      this.#follower.pictured && !video.seeking && video.readyState > HTMLMediaElement.HAVE_CURRENT_DATA;
    const frames = decodedFrames(video);
    const { samples } = this.#flow;
    const tooFew = this.#frames.tooFew({ now, samples, frames, reordered: this.#reordered, steady });
    if (tooFew) memory.distance = this.#follower.live.keepAway();
  }

  #soundMissing(): void {
    const sound = this.#tracks.filter((track) => track.kind === "audio");
    this.#leaveOut(sound, "The camera announces sound and sends none");
  }

  /** Ends the attempt; the next one does without these tracks if there is a picture without them. */
  #leaveOut(tracks: TrackInfo[], message: string): void {
    const { unusable } = this.#context.memory;
    const fresh = tracks.filter((track) => !unusable.has(family(track.codec)));
    for (const track of fresh) unusable.add(family(track.codec));
    const another = fresh.length > 0 && fresh.every((track) => isAudio(track.codec));
    this.#fail({ reason: "unplayable", message, retry: another ? "backoff" : "other-mode" });
  }

  #mediaFailed(reason: MediaFault, message: string): void {
    this.#fail({ reason, message, retry: reason === "unsupported" ? "other-mode" : "backoff" });
  }

  #closeSocket(): void {
    const socket = this.#socket;
    this.#socket = null;
    socket?.close(1000);
  }

  #fail(failure: Failure): void {
    if (this.#over) return;
    this.stop();
    this.#context.sink.failed(failure);
  }
}

/** The part of a codec string that the server matches by. */
function family(codec: string): string {
  return codec.split(".", 1)[0] ?? codec;
}
