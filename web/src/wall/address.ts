/** What the wall shows, as its URL says it: `?streams=front,yard/1&cols=3`. Pure. */

import type { Choice } from "../page/choice.ts";

/** How many streams are shown at most: browsers do not decode more at once. */
export const MAX_TILES = 64;
/** The most columns. */
export const MAX_COLS = 12;

/** What is wanted. */
export interface Wanted {
  /** `null`: all there are. */
  streams: Choice[] | null;
  /** `null`: as many as make the pictures largest. */
  cols: number | null;
  /** Transports, as the player has them; `null`: its own choice. */
  modes: string | null;
  /** Who may watch. */
  token: string | null;
  /** Pictures fill their places, and lose their edges. */
  cover: boolean;
  /** The list to choose from is open. */
  controls: boolean;
}

/** Reads `location.search`. */
export function read(search: string): Wanted {
  const query = new URLSearchParams(search);
  const streams = query.get("streams");
  const cols = Number(query.get("cols"));
  return {
    streams: streams === null ? null : parseStreams(streams),
    cols: Number.isInteger(cols) && cols > 0 ? Math.min(cols, MAX_COLS) : null,
    modes: query.get("modes") || null,
    token: query.get("token") || null,
    cover: query.get("fit") === "cover",
    controls: query.has("controls"),
  };
}

/** Writes it. Ids have no letters that a query would have to escape, so people can read it. */
export function write({ streams, cols, modes, token, cover }: Wanted): string {
  const parts: string[] = [];
  if (streams !== null) parts.push(`streams=${streams.map(keyOf).join(",")}`);
  if (cols !== null) parts.push(`cols=${cols}`);
  if (modes !== null) parts.push(`modes=${encodeURIComponent(modes).replaceAll("%2C", ",")}`);
  if (cover) parts.push("fit=cover");
  if (token !== null) parts.push(`token=${encodeURIComponent(token)}`);
  return parts.length === 0 ? "" : `?${parts.join("&")}`;
}

/** A choice as it stands in the URL: `front`, or `front/1`. */
export function keyOf({ stream, channel }: Choice): string {
  return [stream, channel]
    .filter((part) => part !== null)
    .map((part) => encodeURIComponent(part))
    .join("/");
}

function parseStreams(text: string): Choice[] {
  const seen = new Map<string, Choice>();
  for (const part of text.split(",")) {
    const [stream, channel] = part.trim().split("/").map(decoded);
    if (!stream || seen.size >= MAX_TILES) continue;
    const choice = { stream, channel: channel || null };
    seen.set(keyOf(choice), choice);
  }
  return [...seen.values()];
}

function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}
