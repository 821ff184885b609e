/** WHEP's one request (docs/webrtc.md), and what its answers mean. */

import { refusal } from "./condition.ts";
import { iceServers } from "./icerestart.ts";
import type { Failure } from "./transport.ts";

/** The server takes up to 10 s while a camera is dialled, and says so by then. */
const TIMEOUT_MS = 13_000;
/** Asked again after this, where the server doesn't say when, in ms. */
const RETRY_MS = 5_000;

const RESTART_TIMEOUT_MS = 4_000;

/** What came of an offer. */
export type Whep =
  | { kind: "answer"; sdp: string; session: string; leftOut: string | null; servers: RTCIceServer[] }
  /** The camera is away; to be asked again. */
  | { kind: "offline"; message: string; retryInMs: number }
  | { kind: "failure"; failure: Failure };

/** Sends an offer. */
export async function askWhep(url: URL, sdp: string, signal: AbortSignal): Promise<Whep> {
  try {
    const response = await fetch(url, {
      method: "POST",
      headers: { "Content-Type": "application/sdp" },
      body: sdp,
      signal: AbortSignal.any([signal, AbortSignal.timeout(TIMEOUT_MS)]),
    });
    return understand(response.status, response.headers, await response.text(), response.url);
  } catch {
    const message = "The server can't be reached";
    return { kind: "failure", failure: { reason: "unreachable", message, retry: "backoff" } };
  }
}

/** What an answer means. Pure. */
export function understand(status: number, headers: Headers, body: string, url: string): Whep {
  if (status === 201) {
    const session = new URL(headers.get("Location") ?? "", url);
    // What lets the offer in lets in what follows it.
    session.search = new URL(url).search;
    const servers = iceServers(headers.get("Link"));
    return {
      kind: "answer",
      sdp: body,
      session: session.href,
      leftOut: headers.get("Lunette-Left-Out"),
      servers,
    };
  }
  const { reason, detail } = problem(body);
  if (status === 409) {
    const retryInMs = Number(headers.get("Retry-After")) * 1000 || RETRY_MS;
    return { kind: "offline", message: detail ?? "The camera is away", retryInMs };
  }
  const known = status === 404 && reason !== "no-stream" ? null : refusal(status);
  const failure: Failure = known ?? {
    reason: reason ?? "refused",
    message: detail ?? `The server answers with ${status}`,
    retry: "other-mode",
  };
  return { kind: "failure", failure };
}

/** Asks for a restart of ICE; answers with the server's fragment, or `null` where the session is no more. */
export async function restartWhep(
  session: string,
  fragment: string,
  signal: AbortSignal,
): Promise<string | null> {
  try {
    const response = await fetch(session, {
      method: "PATCH",
      // Whatever restarts there were: this one counts.
      headers: { "Content-Type": "application/trickle-ice-sdpfrag", "If-Match": "*" },
      body: fragment,
      signal: AbortSignal.any([signal, AbortSignal.timeout(RESTART_TIMEOUT_MS)]),
    });
    return response.status === 200 ? await response.text() : null;
  } catch {
    return null;
  }
}

/** Says goodbye, also from a page that goes. */
export function leaveWhep(session: string): void {
  fetch(session, { method: "DELETE", keepalive: true }).catch(() => {});
}

function problem(body: string): { reason: string | null; detail: string | null } {
  try {
    const said: unknown = JSON.parse(body);
    const text = (key: string) => {
      const value = (said as Record<string, unknown> | null)?.[key];
      return typeof value === "string" ? value : null;
    };
    return { reason: text("reason")?.replaceAll("_", "-") ?? null, detail: text("detail") };
  } catch {
    return { reason: null, detail: null };
  }
}
