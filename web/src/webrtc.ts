/**
 * The WebRTC transport: WHEP (docs/webrtc.md). One attempt: what can't be carried, or doesn't get through, is left to
 * other modes. The browser keeps itself at live.
 */

import { CameraPoll } from "./camerapoll.ts";
import { askCondition } from "./condition.ts";
import { restarted, restartFragment } from "./icerestart.ts";
import { Inbound } from "./inbound.ts";
import { onPicture } from "./picture.ts";
import { understandTold } from "./told.ts";
import type {
  Failure,
  Flow,
  Transport,
  TransportContext,
  TransportKind,
  TransportStats,
} from "./transport.ts";
import { under } from "./transport.ts";
import { askWhep, leaveWhep, restartWhep } from "./whep.ts";

/**
 * From the answer to the first address that answers, in ms: ICE asks many times meanwhile, by UDP and TCP. After that
 * the way is taken for blocked; where there are relays, it is tried through those first.
 */
const REACH_MS = 2_000;
/** From the answer, or a restart, to the connection, in ms. */
const CONNECT_MS = 4_000;
/** A connection is often back by itself within this, in ms. */
const GRACE_MS = 1_000;
/** Browsers take 5 s to call a connection disturbed; when media stops for this long another way is looked for, in ms. */
const SILENCE_MS = 1_500;
/** ICE is restarted so often before the connection is given up; after a quiet while it counts anew. */
const RESTARTS = 3;
const QUIET_MS = 30_000;
/** The server's channel (docs/webrtc.md). */
const CHANNEL = "lunette";
/** From one look at the browser's counters to the next, in ms. */
const LOOK_MS = 500;
/** Cameras are watched live: the browser keeps no more than it must. */
const JITTER_TARGET_MS = 0;

/** The table entry. */
export const webrtc: TransportKind = {
  mode: "webrtc",
  supported: () => "RTCPeerConnection" in globalThis && "addTransceiver" in RTCPeerConnection.prototype,
  create: (context) => new WebRtc(context),
};

class WebRtc implements Transport {
  readonly #context: TransportContext;
  readonly #poll: CameraPoll;
  readonly #abort = new AbortController();
  readonly #pc = new RTCPeerConnection({ bundlePolicy: "max-bundle" });
  readonly #media = new MediaStream();
  readonly #inbound = new Inbound();
  #session: string | null = null;
  #stopPictures: (() => void) | null = null;
  #startedAt = 0;
  /** When the connection began to be made, for the first time or again. */
  #dialledAt: number | null = null;
  #connected = false;
  #everConnected = false;
  /** Since when the connection is disturbed. */
  #disturbedAt: number | null = null;
  #restarts = 0;
  #restartedAt = Number.NEGATIVE_INFINITY;
  #relays = false;
  /** This silence has been answered with a restart. */
  #answeredSilence = false;
  readonly #listeners = new AbortController();
  #lookedAt = 0;
  #retry: ReturnType<typeof setTimeout> | null = null;
  #flow: Flow = { heardAt: null, mediaAt: null, samples: 0, sampleIntervalMs: 0, hasVideo: true };
  /** The server says that nothing can come just now. */
  #away = false;
  #over = false;

  constructor(context: TransportContext) {
    this.#context = context;
    this.#poll = new CameraPoll({
      ask: () => askCondition(context.url),
      told: (camera) => context.sink.camera(camera),
      refused: (failure) => this.#fail(failure),
    });
  }

  start(): void {
    this.#startedAt = performance.now();
    this.#pc.ontrack = (event) => this.#track(event);
    this.#pc.onconnectionstatechange = () => this.#changed();
    for (const kind of ["video", "audio"]) this.#pc.addTransceiver(kind, { direction: "recvonly" });
    this.#listen(this.#pc.createDataChannel(CHANNEL));
    const moved = () => this.#everConnected && this.#restart();
    globalThis.addEventListener("online", moved, { signal: this.#listeners.signal });
    connection()?.addEventListener("change", moved, { signal: this.#listeners.signal });
    this.#offer().catch((error: unknown) => {
      this.#fail({ reason: "webrtc", message: `WebRTC failed: ${error}`, retry: "other-mode" });
    });
  }

  stop(): void {
    if (this.#over) return;
    this.#over = true;
    this.#abort.abort();
    this.#listeners.abort();
    if (this.#retry !== null) clearTimeout(this.#retry);
    this.#stopPictures?.();
    this.#poll.stop();
    this.#pc.close();
    if (this.#session !== null) leaveWhep(this.#session);
  }

  tick(now: number): void {
    if (this.#over) return;
    if (this.#disturbedAt !== null && now - this.#disturbedAt > GRACE_MS) this.#restart();
    // A restart on a network that is still there changes no state.
    if (!this.#connected && this.#pc.connectionState === "connected") this.#changed();
    if (this.#dialledAt !== null && !this.#connected) this.#dialling(now - this.#dialledAt);
    const { mediaAt } = this.#flow;
    if (mediaAt !== null && now - mediaAt > SILENCE_MS && !this.#answeredSilence) {
      this.#answeredSilence = true;
      if (!this.#away) this.#restart();
    }
    if (this.#connected) {
      this.#poll.tick(now, this.#flow.mediaAt ?? this.#startedAt);
      if (now - this.#lookedAt >= LOOK_MS) this.#look(now);
    }
  }

  flow(): Flow {
    const heardAt = Math.max(this.#flow.heardAt ?? 0, this.#poll.heardAt ?? 0);
    return { ...this.#flow, heardAt: heardAt || null };
  }

  stats(): TransportStats {
    const { latencyMs, bitrate, codec, resolution, freezes, lost, via } = this.#inbound;
    return {
      latencyMs,
      targetMs: null,
      bufferedMs: latencyMs ?? 0,
      stalls: freezes,
      jumpsBack: 0,
      lost,
      via,
      bitrate,
      codec,
      resolution,
    };
  }

  async #offer(): Promise<void> {
    await this.#pc.setLocalDescription(await this.#pc.createOffer());
    await this.#ask(this.#pc.localDescription?.sdp ?? "");
  }

  async #ask(sdp: string): Promise<void> {
    // While the server dials the camera, that it was asked is what is known of it.
    this.#flow.heardAt = performance.now();
    const answer = await askWhep(under(this.#context.url, "whep"), sdp, this.#abort.signal);
    if (this.#over) {
      if (answer.kind === "answer") leaveWhep(answer.session);
      return;
    }
    if (answer.kind === "failure") return this.#fail(answer.failure);
    this.#flow.heardAt = performance.now();
    if (answer.kind === "offline") {
      const { message, retryInMs } = answer;
      this.#context.sink.camera({ state: "offline", reason: "source-offline", message, retryInMs });
      this.#retry = setTimeout(() => this.#ask(sdp), retryInMs);
      return;
    }
    this.#session = answer.session;
    if (answer.leftOut !== null && !this.#context.only) {
      const message = `WebRTC doesn't carry this stream's sound (${answer.leftOut})`;
      return this.#fail({ reason: "sound-left-out", message, retry: "other-mode" });
    }
    if (answer.servers.length > 0) {
      // Browsers ask them from the next gathering on, which a restart begins.
      this.#pc.setConfiguration({ ...this.#pc.getConfiguration(), iceServers: answer.servers });
      this.#relays = true;
    }
    await this.#pc.setRemoteDescription({ type: "answer", sdp: answer.sdp });
    this.#dialledAt = performance.now();
  }

  /** The connection is being made for so long. */
  #dialling(ms: number): void {
    const reached = /connected|completed/.test(this.#pc.iceConnectionState);
    if (ms <= (reached || this.#everConnected || this.#restarts > 0 ? CONNECT_MS : REACH_MS)) return;
    if (this.#relays && !reached && this.#restarts === 0) this.#restart();
    else this.#unreachable();
  }

  /** Restarts ICE: the network is another one, or the way that was found is none any more. */
  #restart(): void {
    const now = performance.now();
    if (this.#over || this.#session === null || this.#pc.signalingState !== "stable") return;
    if (now - this.#restartedAt > QUIET_MS) this.#restarts = 0;
    if (now - this.#restartedAt < CONNECT_MS) return;
    if (this.#restarts >= RESTARTS) {
      this.#unreachable();
      return;
    }
    this.#restarts++;
    [this.#restartedAt, this.#dialledAt, this.#connected, this.#disturbedAt] = [now, now, false, null];
    this.#exchange(this.#session).catch(() => this.#unreachable());
  }

  async #exchange(session: string): Promise<void> {
    await this.#pc.setLocalDescription(await this.#pc.createOffer({ iceRestart: true }));
    const fragment = restartFragment(this.#pc.localDescription?.sdp ?? "");
    const told = await restartWhep(session, fragment, this.#abort.signal);
    if (this.#over) return;
    const sdp = told && restarted(this.#pc.remoteDescription?.sdp ?? "", told);
    if (!sdp) return this.#unreachable();
    await this.#pc.setRemoteDescription({ type: "answer", sdp });
  }

  /** No way to the server's media is left. */
  #unreachable(): void {
    const message = this.#everConnected
      ? "The connection is lost"
      : "The server is there, but its media doesn't get through (is UDP blocked?)";
    if (this.#everConnected) this.#fail({ reason: "lost", message, retry: "blocked" });
    else this.#fail({ reason: "udp-blocked", message, retry: "other-mode" });
  }

  /** Listens to what the server says of the camera. */
  #listen(channel: RTCDataChannel): void {
    let opened = false;
    channel.onopen = () => {
      opened = true;
    };
    channel.onmessage = ({ data }) => {
      const told = understandTold(String(data));
      if (this.#over || !told) return;
      if ("failure" in told) return this.#fail(told.failure);
      this.#flow.heardAt = performance.now();
      this.#away = told.camera.state !== "live";
      this.#context.sink.camera(told.camera);
    };
    channel.onclose = () => {
      // One that a server doesn't know never opens.
      if (opened)
        this.#fail({ reason: "disconnected", message: "The connection was lost", retry: "backoff" });
    };
  }

  #track({ track, receiver }: RTCTrackEvent): void {
    receiver.jitterBufferTarget = JITTER_TARGET_MS;
    this.#media.addTrack(track);
    if (this.#media.getTracks().length > 1) return;
    const { video } = this.#context;
    video.srcObject = this.#media;
    this.#stopPictures = onPicture(video, () => this.#shown());
    this.#context.play();
  }

  #changed(): void {
    const state = this.#pc.connectionState;
    if (state === "connected") {
      [this.#connected, this.#everConnected, this.#disturbedAt] = [true, true, null];
      this.#flow.heardAt = performance.now();
    } else if (state === "disconnected") {
      this.#disturbedAt ??= performance.now();
    } else if (state === "failed") {
      this.#disturbedAt = null;
      if (this.#everConnected || this.#relays) this.#restart();
      else this.#unreachable();
    }
  }

  #look(now: number): void {
    this.#lookedAt = now;
    this.#pc.getStats().then((report) => {
      if (this.#over) return;
      if (!this.#inbound.read(report, performance.now())) return;
      const at = performance.now();
      this.#flow = { ...this.#flow, ...this.#inbound.flow, heardAt: at, mediaAt: at };
      this.#answeredSilence = false;
      this.#poll.media();
    });
  }

  #shown(): void {
    this.#stopPictures?.();
    this.#stopPictures = null;
    this.#context.sink.picture();
  }

  #fail(failure: Failure): void {
    if (this.#over) return;
    this.stop();
    this.#context.sink.failed(failure);
  }
}

/** What tells of another network, where the browser does. */
function connection(): EventTarget | undefined {
  return (navigator as { connection?: EventTarget }).connection;
}
