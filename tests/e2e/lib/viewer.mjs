/** An MSE viewer without a browser: speaks `lunette.v1` or RTSPtoWeb's framing and keeps what it gets. */
import WebSocket from "ws";

import { fragment, initTracks, isInit } from "./mp4.mjs";
import { until } from "./wait.mjs";

/** What a browser that plays everything says. */
export const ALL_CODECS = ["avc1.640033", "hvc1.1.6.L153.B0", "mp4a.40.2", "opus", "flac"];

export class Viewer {
  /** `{ at, text }`, `{ at, init, tracks }`, `{ at, fragment }` or `{ at, codecs }`, in order. */
  messages = [];
  /** The media as it came: init segments and fragments. */
  media = [];
  closed = undefined;

  /** @param {{ legacy?: boolean, hello?: object|null, port?: number }} options `port` goes through a relay. */
  constructor(url, { legacy = false, hello = { type: "hello", codecs: ALL_CODECS }, options = {} } = {}) {
    this.legacy = legacy;
    this.began = performance.now();
    this.socket = new WebSocket(url, legacy ? [] : ["lunette.v1"], { perMessageDeflate: false, ...options });
    this.socket.on("open", () => !legacy && hello && this.socket.send(JSON.stringify(hello)));
    this.socket.on("message", (data, binary) => this.take(data, binary));
    this.socket.on("close", (code, reason) => (this.closed = { code, reason: reason.toString() }));
    this.socket.on("error", (error) => (this.error = error));
    this.socket.on("unexpected-response", (_, response) => {
      this.refused = response;
      this.closed = { code: response.statusCode };
    });
  }

  take(data, binary) {
    const at = performance.now() - this.began;
    if (!binary) return this.messages.push({ at, text: JSON.parse(data) });
    if (this.legacy && data[0] === 9 && this.media.length === 0) return this.messages.push({ at, codecs: data.toString("utf8", 1) });
    this.media.push(data);
    if (isInit(data)) return this.messages.push({ at, init: data, tracks: initTracks(data) });
    return this.messages.push({ at, fragment: { ...fragment(data), at } });
  }

  get texts() {
    return this.messages.flatMap((message) => message.text ?? []);
  }

  /** The newest `tracks` message. */
  get announced() {
    return this.texts.findLast((text) => text.type === "tracks");
  }

  get inits() {
    return this.messages.filter((message) => message.init);
  }

  get fragments() {
    return this.messages.flatMap((message) => message.fragment ?? []);
  }

  /** Fragments of the newest init's track of that kind. */
  of(kind) {
    const track = this.inits.at(-1)?.tracks.find((track) => track.kind === kind);
    return track ? this.fragments.filter((f) => f.track === track.id) : [];
  }

  track(kind) {
    return this.inits.at(-1)?.tracks.find((track) => track.kind === kind);
  }

  /** Waits for `n` fragments of a kind. */
  frames(n, kind = "video", timeoutMs = 20_000) {
    return until(`${n} ${kind} fragments from ${this.socket.url} (closed: ${JSON.stringify(this.closed)}, texts: ${JSON.stringify(this.texts.slice(-3))})`,
      () => this.of(kind).length >= n && this.of(kind), timeoutMs);
  }

  /** Waits for a text message that `wanted` accepts. */
  said(what, wanted, timeoutMs = 20_000) {
    return until(`a message: ${what}`, () => this.texts.find(wanted), timeoutMs);
  }

  /** Waits for the close, and returns its code and reason. */
  ended(timeoutMs = 20_000) {
    return until("the connection is closed", () => this.closed, timeoutMs);
  }

  /** All media as one file. */
  file() {
    return Buffer.concat(this.media);
  }

  close() {
    this.socket.terminate();
  }
}

/**
 * The places where a viewer's video is not continuous: the step to the next decode time is more than one and a
 * half frames, or not forward. Each entry is the index of the fragment after the break.
 */
export function breaks(fragments, timescale, fps = 25) {
  return fragments.flatMap((f, i) => {
    if (i === 0) return [];
    const step = ((f.dts - fragments[i - 1].dts) / timescale) * fps;
    return step > 1.5 || step <= 0 ? [i] : [];
  });
}
