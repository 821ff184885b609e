/**
 * What a way of bringing pictures into a `<video>` must offer. A transport makes one attempt: it never
 * retries and it knows no visibility, no buttons and no states of the element. {@link Session} owns all that.
 */

/** The names that the `modes` attribute takes. */
export type Mode = "mse" | "webrtc" | "hls";

/** Why an attempt ended, and what to do next. */
export interface Failure {
  /** Stable code for programs. */
  reason: string;
  /** For people. */
  message: string;
  /**
   * `backoff`: try again, the first time at once. `slowly`: nothing suggests that it will get better soon.
   * `other-mode`: this transport can't play this stream here; another one may. `blocked`: the server is there, but
   * this transport doesn't get to it; if that isn't chance, another one may.
   */
  retry: "backoff" | "slowly" | "other-mode" | "blocked";
}

/** What the server says about the camera. */
export type Camera =
  | { state: "connecting" | "live" }
  | { state: "offline"; reason: string; message: string; retryInMs: number | null };

/** What a transport reports, as it happens. */
export interface Sink {
  /** The server said how the camera is. */
  camera(camera: Camera): void;
  /** A picture of this attempt is on screen (or its sound can be heard, where there is no picture). */
  picture(): void;
  /** The attempt is over; the transport has stopped itself. Called once at most. */
  failed(failure: Failure): void;
}

/** What a transport measures. */
export interface TransportStats {
  /** How far behind the newest received media the picture is, in ms. */
  latencyMs: number | null;
  /** How far behind it should be, on this network, in ms; `null` where that is the browser's business. */
  targetMs: number | null;
  /** Media buffered ahead of the picture, in ms. */
  bufferedMs: number;
  /** How often playback ran dry. */
  stalls: number;
  /** How often playback was set back, further from live. */
  jumpsBack: number;
  /** The share of packets that were lost, 0 to 1; `null` for transports that lose none. */
  lost: number | null;
  /** What carries it, where that differs: "udp", "tcp". */
  via: string | null;
  /** Received, in bit/s over the last seconds. */
  bitrate: number;
  /** Video codec for people, or the audio codec where there is no video. */
  codec: string | null;
  /** Encoded size as the server announced it. */
  resolution: string | null;
}

/** What the watchdog needs to know, all since the transport was started. */
export interface Flow {
  /** When anything at all arrived last, in ms; `null` before the first message. */
  heardAt: number | null;
  /** When media arrived last, in ms; `null` before the first. */
  mediaAt: number | null;
  /** Video samples (audio samples for a stream without video) received. */
  samples: number;
  /** The longest that the stream itself goes without a sample, in ms. */
  sampleIntervalMs: number;
  /** False for a stream of sound alone, whose progress is the playback position. */
  hasVideo: boolean;
}

/** One attempt to play one stream. */
export interface Transport {
  /** Starts the attempt. */
  start(): void;
  /** Ends it and frees all it holds; the last picture may stay. Idempotent. Nothing is reported after it. */
  stop(): void;
  /** Called a few times a second while the element plays, for what is to be done over time. */
  tick(now: number): void;
  flow(): Flow;
  stats(): TransportStats;
}

/** What one attempt learns for the next ones on the same stream. */
export interface Memory {
  /** Codecs (the part before the first dot) that turned out to be no use here. */
  readonly unusable: Set<string>;
  /** How much further from live than usual this browser needs to be, in seconds. */
  distance: number;
  /** The browser's own HLS takes the codecs of this stream, and its MediaSource doesn't. */
  nativeHls: boolean;
}

/** What a transport is given. */
export interface TransportContext {
  /** The stream's base URL, absolute: `https://host/stream/front`. */
  url: URL;
  video: HTMLVideoElement;
  sink: Sink;
  memory: Memory;
  /** There is no other mode: better a part of the stream than nothing. */
  only: boolean;
  /** Has the element play: to be called whenever the `<video>` was given another source. */
  play(): void;
}

/** One entry of the table of transports. */
export interface TransportKind {
  mode: Mode;
  /** Whether this browser has what it takes. */
  supported(): boolean;
  create(context: TransportContext): Transport;
}

/** The URL of something under a stream's base URL, its query (tokens) kept. */
export function under(base: URL, path: string): URL {
  const url = new URL(base);
  url.pathname = `${url.pathname.replace(/\/+$/, "")}/${path}`;
  url.hash = "";
  return url;
}

/** `url` with a token that says who may watch, where there is one. */
export function withToken(url: URL, token: string): URL {
  if (token) url.searchParams.set(TOKEN, token);
  return url;
}

/** The query of `base`, for `url` that something under it refers to; a token that is in the path already counts, and is not added. */
export function carryQuery(base: URL, url: URL): URL {
  const carried = /\/t\/[^/]+\/stream\//.test(url.pathname);
  for (const [name, value] of base.searchParams) {
    if (!(carried && name === TOKEN)) url.searchParams.set(name, value);
  }
  return url;
}

/** The name of a token in a query. */
const TOKEN = "token";
