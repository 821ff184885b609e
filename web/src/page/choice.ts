/** Which stream is being watched, as the page's hash says it: `#front`, or `#front/1` for its channel 1. Pure. */

import type { Stream } from "./api.ts";

/** A stream, and one of its channels. */
export interface Choice {
  stream: string;
  /** `null`: the first channel. */
  channel: string | null;
}

/** Reads `location.hash`. */
export function fromHash(hash: string): Choice | null {
  const [stream, channel] = hash.replace(/^#/, "").split("/").map(decoded);
  return stream ? { stream, channel: channel || null } : null;
}

/** Writes it. */
export function toHash({ stream, channel }: Choice): string {
  return `#${encodeURIComponent(stream)}${channel === null ? "" : `/${encodeURIComponent(channel)}`}`;
}

/** The base URL of the media, relative to the page. */
export function sourceOf({ stream, channel }: Choice): string {
  const path = `stream/${encodeURIComponent(stream)}`;
  return channel === null ? path : `${path}/channel/${encodeURIComponent(channel)}`;
}

/** What to play: what the hash says, or the only stream there is. */
export function choose(hash: string, streams: readonly Stream[]): Choice | null {
  const only = streams.length === 1 ? streams[0] : undefined;
  return fromHash(hash) ?? (only ? { stream: only.id, channel: null } : null);
}

function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}
