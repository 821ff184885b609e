/** What the server says on the data channel `lunette` (docs/webrtc.md, "Data channels"). Pure. */

import { parseMessage } from "./protocol.ts";
import type { Camera, Failure } from "./transport.ts";

/** Why a stream ended, and what to do about it. */
const ENDS: Record<string, Failure> = {
  removed: { reason: "removed", message: "This stream was removed", retry: "slowly" },
  b_frames: {
    reason: "b-frames",
    message: "The camera sends B-frames now, which WebRTC can't carry",
    retry: "other-mode",
  },
  codecs_changed: { reason: "codecs-changed", message: "The camera changed its codec", retry: "backoff" },
  kicked: { reason: "kicked", message: "Whoever runs the server ended this", retry: "slowly" },
  forbidden: { reason: "forbidden", message: "You may not watch this stream any more", retry: "backoff" },
  shutdown: { reason: "server-stopped", message: "The server was stopped", retry: "backoff" },
};

const GAVE_UP: Failure = { reason: "server-error", message: "The server gave up", retry: "backoff" };

/** What a message says: how the camera is, or that it is over; `null` for what this version doesn't know. */
export function understandTold(text: string): { camera: Camera } | { failure: Failure } | null {
  const message = parseMessage(text);
  if (message?.type === "state") return { camera: message };
  try {
    const said: unknown = JSON.parse(text);
    const { type, state, reason } = (said ?? {}) as Record<string, unknown>;
    if (type !== "state" || state !== "ended") return null;
    return { failure: ENDS[String(reason)] ?? GAVE_UP };
  } catch {
    return null;
  }
}
