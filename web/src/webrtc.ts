/**
 * The WebRTC transport: WHEP (docs/webrtc.md). One attempt: what can't be carried, or doesn't get through, is left to
 * other modes. The browser keeps itself at live.
 */

import { CameraPoll } from "./camerapoll.ts";
import { askCondition } from "./condition.ts";
import { Inbound } from "./inbound.ts";
import { onPicture } from "./picture.ts";
import type {
  Failure,
  Flow,
  Transport,
  TransportContext,
  TransportKind,
  TransportStats,
} from "./transport.ts";
import { under } from "./transport.ts";
import { askWhep, leaveWhep } from "./whep.ts";

/** From the answer to the connection, in ms: three of ICE's retries. After that, UDP is taken for blocked. */
const CONNECT_MS = 4_000;
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
  #answeredAt: number | null = null;
  #connected = false;
  #lookedAt = 0;
  #retry: ReturnType<typeof setTimeout> | null = null;
  #flow: Flow = { heardAt: null, mediaAt: null, samples: 0, sampleIntervalMs: 0, hasVideo: true };
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
    this.#offer().catch((error: unknown) => {
      this.#fail({ reason: "webrtc", message: `WebRTC failed: ${error}`, retry: "other-mode" });
    });
  }

  stop(): void {
    if (this.#over) return;
    this.#over = true;
    this.#abort.abort();
    if (this.#retry !== null) clearTimeout(this.#retry);
    this.#stopPictures?.();
    this.#poll.stop();
    this.#pc.close();
    if (this.#session !== null) leaveWhep(this.#session);
  }

  tick(now: number): void {
    if (this.#over) return;
    const late = this.#answeredAt !== null && now - this.#answeredAt > CONNECT_MS;
    if (late && !this.#connected) {
      const message = "The server is there, but its media doesn't get through (is UDP blocked?)";
      this.#fail({ reason: "udp-blocked", message, retry: "other-mode" });
      return;
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
    const { latencyMs, bitrate, codec, resolution, freezes } = this.#inbound;
    return {
      latencyMs,
      targetMs: null,
      bufferedMs: latencyMs ?? 0,
      stalls: freezes,
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
    this.#answeredAt = performance.now();
    await this.#pc.setRemoteDescription({ type: "answer", sdp: answer.sdp });
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
      this.#connected = true;
      this.#flow.heardAt = performance.now();
    } else if (state === "failed" || state === "closed") {
      const blocked = !this.#connected;
      const message = blocked ? "The server's media doesn't get through" : "The connection is lost";
      const reason = blocked ? "udp-blocked" : "lost";
      this.#fail({ reason, message, retry: blocked ? "other-mode" : "backoff" });
    }
  }

  #look(now: number): void {
    this.#lookedAt = now;
    this.#pc.getStats().then((report) => {
      if (this.#over) return;
      if (!this.#inbound.read(report, performance.now())) return;
      const at = performance.now();
      this.#flow = { ...this.#flow, ...this.#inbound.flow, heardAt: at, mediaAt: at };
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
