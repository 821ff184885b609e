/**
 * The HLS transport: LL-HLS through hls.js, which is loaded when it is needed, kept at live by a {@link Follower}; or
 * through the browser's own HLS, where that is better. One attempt, as all transports.
 */

import type Hls from "hls.js/light";
import type { ErrorData, FragBufferedData, HlsConfig, LevelDetails, LoadPolicy } from "hls.js/light";
import { CameraPoll } from "./camerapoll.ts";
import { codecName, isAudio } from "./codecs.ts";
import { askCondition, refusal } from "./condition.ts";
import { Follower } from "./follower.ts";
import { fromKeyframes } from "./hlsparts.ts";
import { mediaSourceClass } from "./media.ts";
import { NativeHls, playsNatively } from "./native.ts";
import { bufferedRanges } from "./picture.ts";
import { Rate } from "./rate.ts";
import type {
  Failure,
  Flow,
  Transport,
  TransportContext,
  TransportKind,
  TransportStats,
} from "./transport.ts";
import { carryQuery, under } from "./transport.ts";

/** The playlist, below a stream's base URL. */
const PLAYLIST = "hlsll/live/index.m3u8";

/**
 * The browser's own HLS is used where there is no MediaSource (iPhones before iOS 17.1), or where it takes a codec
 * that MediaSource doesn't. It is no first choice: Chromium's knows no parts and plays seconds behind, Safari's
 * wants HTTP/2 for them, and neither says how far behind it is.
 */
export const hls: TransportKind = {
  mode: "hls",
  supported: () => mediaSourceClass() !== null || playsNatively(),
  create: (context) => {
    const native = mediaSourceClass() === null || context.memory.nativeHls;
    return native ? new NativeHls(context, PLAYLIST) : new HlsJs(context);
  },
};

/** A camera that is away makes the server answer 503 after a while, for as long as it is; {@link Session} watches. */
const WHILE_AWAY = { maxNumRetry: 1_000, retryDelayMs: 1_000, maxRetryDelayMs: 1_000 };
/** What fails otherwise is tried once more in place, which nobody sees; then the attempt is over. */
const ONCE_MORE = { maxNumRetry: 1, retryDelayMs: 200, maxRetryDelayMs: 200 };

function policy(errorRetry: typeof ONCE_MORE, patienceMs: number): LoadPolicy {
  const timeoutRetry = ONCE_MORE;
  return {
    default: { maxTimeToFirstByteMs: patienceMs, maxLoadTimeMs: patienceMs, timeoutRetry, errorRetry },
  };
}

const SETTINGS: Partial<HlsConfig> = {
  // Its blob: URL would need a content security policy of its own, and fragmented MP4 is passed on as it is.
  enableWorker: false,
  lowLatencyMode: true,
  liveDurationInfinity: true,
  startFragPrefetch: true,
  preferManagedMediaSource: true,
  // What is removed behind the picture ends at a keyframe, which may be the next one: as much as the longest GOP.
  backBufferLength: 60,
  // The server answers a first request within 10 s, and one for what is to come within 3 target durations of 30 s.
  manifestLoadPolicy: policy(WHILE_AWAY, 15_000),
  playlistLoadPolicy: policy(WHILE_AWAY, 100_000),
  fragLoadPolicy: policy(ONCE_MORE, 10_000),
};

class HlsJs implements Transport {
  readonly #context: TransportContext;
  readonly #follower: Follower;
  readonly #poll: CameraPoll;
  readonly #rate = new Rate();
  #hls: Hls | null = null;
  /** Of the only variant, as the playlist has them. */
  #codecs = "";
  #startedAt = 0;
  #flow: Flow = { heardAt: null, mediaAt: null, samples: 0, sampleIntervalMs: 0, hasVideo: true };
  #over = false;

  constructor(context: TransportContext) {
    this.#context = context;
    this.#follower = new Follower(context.video, {
      ranges: () => (this.#follower.pictured ? bufferedRanges(context.video) : []),
      appending: () => false,
      pictured: () => context.sink.picture(),
    });
    this.#poll = new CameraPoll({
      ask: () => askCondition(context.url),
      told: (camera) => context.sink.camera(camera),
      refused: (failure) => this.#fail(failure),
    });
  }

  start(): void {
    this.#startedAt = performance.now();
    import("hls.js/light").then(
      (module) => this.#loaded(module.default),
      () => this.#fail({ reason: "unreachable", message: "The server can't be reached", retry: "backoff" }),
    );
  }

  stop(): void {
    this.#over = true;
    this.#follower.stop();
    this.#poll.stop();
    // Without this, the last picture would go with it.
    if (this.#hls?.media) URL.revokeObjectURL(this.#hls.media.src);
    this.#hls?.transferMedia();
    this.#hls?.destroy();
    this.#hls = null;
  }

  tick(now: number): void {
    if (this.#over) return;
    this.#follower.advise();
    this.#poll.tick(now, this.#flow.mediaAt ?? this.#startedAt);
  }

  flow(): Flow {
    const heardAt = Math.max(this.#flow.heardAt ?? 0, this.#poll.heardAt ?? 0);
    return { ...this.#flow, heardAt: heardAt || null };
  }

  stats(): TransportStats {
    const now = performance.now();
    const level = this.#hls?.levels[0];
    return {
      ...this.#follower.stats(now),
      bitrate: this.#rate.bitsPerSecond(now),
      codec: this.#codecs ? mainCodec(this.#codecs) : null,
      resolution: level?.width ? `${level.width}x${level.height}` : null,
    };
  }

  #loaded(Player: typeof Hls): void {
    if (this.#over) return;
    const { url, video } = this.#context;
    const { Events } = Player;
    const player = new Player({ ...SETTINGS, ...carrying(url), streamController: fromKeyframes(Player) });
    this.#hls = player;
    player.on(Events.MANIFEST_LOADED, (_, { levels }) => {
      this.#flow.heardAt = performance.now();
      this.#codecs = levels[0]?.attrs.CODECS ?? "";
      this.#flow.hasVideo = !isSound(this.#codecs);
    });
    // A video that shows a picture keeps it until there is something to replace it with.
    player.on(Events.MANIFEST_PARSED, () => player.attachMedia(video));
    player.on(Events.MEDIA_ATTACHED, () => {
      this.#follower.begin();
      this.#context.play();
    });
    player.on(Events.LEVEL_UPDATED, (_, { details }) => this.#listed(details));
    player.on(Events.FRAG_LOADED, (_, { payload }) => this.#rate.add(payload.byteLength, performance.now()));
    player.on(Events.FRAG_BUFFERED, (_, data) => this.#buffered(data));
    player.on(Events.ERROR, (_, data) => this.#failed(Player, data));
    player.loadSource(under(url, PLAYLIST).href);
  }

  #listed({ partTarget, partHoldBack, targetduration, holdBack }: LevelDetails): void {
    const length = partTarget || targetduration;
    this.#follower.live.inParts(length, (partTarget ? partHoldBack : holdBack) || 3 * length);
  }

  #buffered({ frag, part }: FragBufferedData): void {
    const now = performance.now();
    const newest = bufferedRanges(this.#context.video).at(-1);
    if (!newest || frag.sn === "initSegment") return;
    const lengthMs = (part ?? frag).duration * 1000;
    this.#flow.heardAt = now;
    this.#flow.mediaAt = now;
    this.#flow.samples++;
    this.#flow.sampleIntervalMs = Math.max(lengthMs, this.#flow.sampleIntervalMs * 0.99);
    this.#follower.live.arrived(0, true, newest.end, now / 1000);
    this.#follower.advise();
    this.#poll.media();
  }

  #failed(Player: typeof Hls, { fatal, type, details, response }: ErrorData): void {
    if (!fatal) return;
    const { ErrorDetails, ErrorTypes } = Player;
    const incompatible: string[] = [
      ErrorDetails.MANIFEST_INCOMPATIBLE_CODECS_ERROR,
      ErrorDetails.BUFFER_ADD_CODEC_ERROR,
      ErrorDetails.BUFFER_INCOMPATIBLE_CODECS_ERROR,
    ];
    if (incompatible.includes(details)) this.#unplayable();
    else if (type === ErrorTypes.NETWORK_ERROR) this.#fail(networkFailure(response?.code ?? 0, details));
    else
      this.#fail({ reason: "decoder", message: `The browser can't play this: ${details}`, retry: "backoff" });
  }

  #unplayable(): void {
    const { memory } = this.#context;
    memory.nativeHls = playsNatively(this.#codecs);
    this.#fail({
      reason: "unplayable",
      message: `This browser can't play ${mainCodec(this.#codecs)}`,
      retry: memory.nativeHls ? "backoff" : "other-mode",
    });
  }

  #fail(failure: Failure): void {
    if (this.#over) return;
    this.stop();
    this.#context.sink.failed(failure);
  }
}

/** A request failed for good. */
function networkFailure(status: number, details: string): Failure {
  // What a playlist lists may be gone by now: a server that was restarted, or a player that slept.
  const gone = status === 404 && details !== "manifestLoadError";
  const lost: Failure = { reason: "disconnected", message: "The connection was lost", retry: "backoff" };
  return (gone ? null : refusal(status || null)) ?? lost;
}

/** hls.js drops the query of a playlist's URL: what is in it is carried to whatever that playlist lists. */
function carrying(base: URL): Partial<HlsConfig> {
  if (!base.search) return {};
  const xhrSetup = (xhr: XMLHttpRequest, address: string): void => {
    const url = new URL(address);
    xhr.open("GET", url.origin === base.origin ? carryQuery(base, url) : url);
  };
  return { xhrSetup };
}

function isSound(codecs: string): boolean {
  return codecs !== "" && codecs.split(",").every((codec) => isAudio(codec.trim()));
}

/** The name of the picture's codec, or of the sound's where there is no picture. */
function mainCodec(codecs: string): string {
  const all = codecs.split(",").map((codec) => codec.trim());
  return codecName(all.find((codec) => !isAudio(codec)) ?? all[0] ?? codecs);
}
