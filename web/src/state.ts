/** What a player is doing, as the page is told. */

/**
 * - `idle`: there is nothing to play
 * - `connecting`: the first picture is on its way
 * - `live`: the picture moves
 * - `stalled`: connected, but nothing new comes
 * - `offline`: the server is there, the camera isn't; resumes by itself
 * - `reconnecting`: the connection was lost; being restored
 * - `paused`: by the viewer, by the browser, or because nobody sees it
 * - `failed`: can't be played; tried again now and then
 */
export type PlayerState =
  | "idle"
  | "connecting"
  | "live"
  | "stalled"
  | "offline"
  | "reconnecting"
  | "paused"
  | "failed";

/** The `detail` of a `lunette-state` event. */
export interface StateDetail {
  state: PlayerState;
  /** A stable code for programs, or `null`: "unauthorized", "silent", "hidden"... */
  reason: string | null;
  /** For people, or `null`. */
  message: string | null;
}

/** What `<lunette-player>.stats()` answers. */
export interface PlayerStats {
  mode: string | null;
  /** What carries it where that differs: "udp", "tcp". */
  via: string | null;
  latencyMs: number | null;
  targetMs: number | null;
  bufferedMs: number;
  stalls: number;
  /** How often playback was set back, further from live, on this connection. */
  jumpsBack: number;
  /** The share of packets that were lost, 0 to 1; `null` where what is lost comes again by itself. */
  lost: number | null;
  decodedFrames: number;
  droppedFrames: number;
  /** In bit/s. */
  bitrate: number;
  /** As announced, or as decoded: "1280x720". */
  resolution: string | null;
  codec: string | null;
  /** Attempts after the first, since `src` was set. */
  reconnects: number;
}
