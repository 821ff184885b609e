/** Why a WebSocket didn't open: browsers don't tell, a plain request for the same URL does. */

import type { Failure } from "./transport.ts";

/** No answer within this, in ms, is an answer too. */
const TIMEOUT_MS = 2_000;

const UNREACHABLE: Failure = {
  reason: "unreachable",
  message: "The server can't be reached",
  retry: "backoff",
};

/** What a plain `GET` of a WebSocket's URL answers, as a failure. */
export async function explainRefusal(url: URL): Promise<Failure> {
  try {
    const answer = await fetch(url, { signal: AbortSignal.timeout(TIMEOUT_MS), cache: "no-store" });
    await answer.body?.cancel();
    return refusal(answer.status);
  } catch {
    return UNREACHABLE; // nobody there, or another origin that doesn't let us look
  }
}

/** What the status of that answer means. */
export function refusal(status: number): Failure {
  if (status === 404)
    return { reason: "no-such-stream", message: "There is no such stream", retry: "slowly" };
  if (status === 401 || status === 403) {
    return { reason: "forbidden", message: "You may not watch this stream", retry: "slowly" };
  }
  if (status >= 500) return { ...UNREACHABLE, message: `The server answers with error ${status}` };
  return {
    reason: "websocket-blocked",
    message: "The server is there, but WebSocket connections don't reach it (is a proxy in the way?)",
    retry: "backoff",
  };
}
