/**
 * What is known of servers to which no WebRTC gets through: told from one element and one page to the next, so that
 * only the first waits to find out. Storage may be missing or forbidden; then each finds out for itself.
 */

/** Networks change: after this it is tried again, in ms. */
const BELIEVED_MS = 10 * 60_000;
const KEY = "lunette-webrtc-blocked";
/** So many servers are remembered. */
const MOST = 20;

type Noted = Record<string, number>;

/** Whether WebRTC was lately found to be blocked on the way to `host`; `now` in ms since 1970. */
export function isBlocked(host: string, now: number): boolean {
  const at = read()[host];
  return at !== undefined && at <= now && now - at < BELIEVED_MS;
}

/** It is blocked. */
export function noteBlocked(host: string, now: number): void {
  const others = Object.entries(read()).filter(([name, at]) => name !== host && now - at < BELIEVED_MS);
  write(Object.fromEntries([[host, now], ...others].slice(0, MOST)));
}

/** The network is another one, or it got through. */
export function forgetBlocked(): void {
  write({});
}

function read(): Noted {
  try {
    const noted: unknown = JSON.parse(localStorage.getItem(KEY) ?? "{}");
    if (typeof noted !== "object" || noted === null) return {};
    return Object.fromEntries(Object.entries(noted).filter(([, at]) => typeof at === "number"));
  } catch {
    return {};
  }
}

function write(noted: Noted): void {
  try {
    if (Object.keys(noted).length === 0) localStorage.removeItem(KEY);
    else localStorage.setItem(KEY, JSON.stringify(noted));
  } catch {
    // As above.
  }
}
