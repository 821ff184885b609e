/** The messages of `lunette.v1` (docs/mse.md), parsed from what comes off the wire. Pure. */

import type { Failure } from "./transport.ts";

/** The WebSocket subprotocol. */
export const SUBPROTOCOL = "lunette.v1";

/** One track of a `tracks` message. */
export interface TrackInfo {
  kind: "video" | "audio";
  /** RFC 6381 codec string. */
  codec: string;
  /** For people: "H.264", "G.711 A-law". */
  name: string;
  width: number | null;
  height: number | null;
}

/** A track that the server leaves out, because this browser can't play it. */
export interface LeftOut {
  kind: "video" | "audio";
  /** For people. */
  name: string;
}

/** What the server says in text. */
export type ServerMessage =
  | { type: "state"; state: "connecting" | "live" }
  | { type: "state"; state: "offline"; reason: string; message: string; retryInMs: number | null }
  | { type: "tracks"; tracks: TrackInfo[]; leftOut: LeftOut[] }
  | { type: "skipped"; frames: number };

/** Parses a text message; `null` for one that this version doesn't know, which is to be ignored. */
export function parseMessage(text: string): ServerMessage | null {
  const json = parseJson(text);
  if (!json) return null;
  switch (json.type) {
    case "state":
      return parseState(json);
    case "tracks":
      return parseTracks(json);
    case "skipped":
      return { type: "skipped", frames: number(json.frames) ?? 0 };
    default:
      return null;
  }
}

/** The client's first message. */
export function hello(codecs: string[]): string {
  return JSON.stringify({ type: "hello", codecs });
}

/** What a close of the WebSocket means, and what to do about it (docs/mse.md, "Keep-alive and close codes"). */
export function closeFailure(code: number, reason: string): Failure {
  switch (code) {
    case 1001:
      return { reason: "server-stopped", message: "The server was stopped", retry: "backoff" };
    case 4000:
      return { reason: "removed", message: reason || "This stream was removed", retry: "slowly" };
    case 4001:
    case 4002:
      return { reason: "too-slow", message: "The connection is too slow", retry: "backoff" };
    case 4003:
      return {
        reason: "unplayable",
        message: reason || "This browser can't play any track of this stream",
        retry: "other-mode",
      };
    case 4004:
      return { reason: "kicked", message: "Whoever runs the server ended this", retry: "slowly" };
    case 4005:
      // Tried again at once: the token may be another one by now.
      return { reason: "forbidden", message: "You may not watch this stream any more", retry: "backoff" };
    case 1002:
    case 1011:
      return { reason: "server-error", message: reason || "The server gave up", retry: "backoff" };
    default:
      return { reason: "disconnected", message: "The connection was lost", retry: "backoff" };
  }
}

function parseState(json: Record<string, unknown>): ServerMessage | null {
  if (json.state === "connecting" || json.state === "live") return { type: "state", state: json.state };
  if (json.state !== "offline") return null;
  return {
    type: "state",
    state: "offline",
    reason: string(json.reason) ?? "unknown",
    message: string(json.message) ?? "",
    retryInMs: number(json.retry_in_ms),
  };
}

function parseTracks(json: Record<string, unknown>): ServerMessage | null {
  if (!Array.isArray(json.tracks)) return null;
  const tracks = json.tracks.map(parseTrack).filter((track) => track !== null);
  const leftOut = Array.isArray(json.left_out) ? json.left_out : [];
  return { type: "tracks", tracks, leftOut: leftOut.map(parseTrack).filter((track) => track !== null) };
}

function parseTrack(json: unknown): TrackInfo | null {
  if (!isObject(json) || (json.kind !== "video" && json.kind !== "audio")) return null;
  const codec = string(json.codec) ?? "";
  return {
    kind: json.kind,
    codec,
    name: string(json.name) ?? codec,
    width: number(json.width),
    height: number(json.height),
  };
}

function parseJson(text: string): Record<string, unknown> | null {
  try {
    const json: unknown = JSON.parse(text);
    return isObject(json) ? json : null;
  } catch {
    return null;
  }
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null;
}

function string(value: unknown): string | null {
  return typeof value === "string" ? value : null;
}

function number(value: unknown): number | null {
  return typeof value === "number" && Number.isFinite(value) ? value : null;
}
