/**
 * How the camera is, asked over plain HTTP: for transports whose protocol doesn't tell, and to find out why a
 * WebSocket didn't open, which browsers don't tell either.
 */

import { parseMessage } from "./protocol.ts";
import type { Camera, Failure } from "./transport.ts";
import { under } from "./transport.ts";

/** No answer within this, in ms, is an answer too. */
const TIMEOUT_MS = 2_000;

/** What the server answered. */
export interface Answer {
  status: number;
  /** `null` where it doesn't say, or not in words that this version knows. */
  camera: Camera | null;
}

const UNREACHABLE: Failure = {
  reason: "unreachable",
  message: "The server can't be reached",
  retry: "backoff",
};

/** Asks once; `null` if nobody answers. */
export async function askCondition(base: URL): Promise<Answer | null> {
  try {
    const options: RequestInit = { signal: AbortSignal.timeout(TIMEOUT_MS), cache: "no-store" };
    const answer = await fetch(under(base, "state"), options);
    const message = answer.ok ? parseMessage(await answer.text()) : null;
    return { status: answer.status, camera: message?.type === "state" ? message : null };
  } catch {
    return null;
  }
}

/** Why the stream can't be had, as far as the status of an answer tells; `null` if it doesn't. */
export function refusal(status: number | null): Failure | null {
  if (status === null) return UNREACHABLE;
  if (status === 404)
    return { reason: "no-such-stream", message: "There is no such stream", retry: "slowly" };
  if (status === 401 || status === 403) {
    return { reason: "forbidden", message: "You may not watch this stream", retry: "slowly" };
  }
  if (status >= 500) return { ...UNREACHABLE, message: `The server answers with error ${status}` };
  return null;
}

/** Why a WebSocket didn't open. */
export async function explainClosed(base: URL): Promise<Failure> {
  const answer = await askCondition(base);
  return (
    refusal(answer?.status ?? null) ?? {
      reason: "websocket-blocked",
      message: "The server is there, but WebSocket connections don't reach it (is a proxy in the way?)",
      retry: "blocked",
    }
  );
}
