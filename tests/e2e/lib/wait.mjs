/** Waiting for something to become true, never for time to pass. */
import { setTimeout as delay } from "node:timers/promises";

const POLL_MS = 50;

/**
 * Asks `probe` until it answers something true, and returns that.
 * @param {string} what What is waited for, for the error.
 * @param {() => any} probe May be async; what it throws counts as "not yet".
 * @param {number} timeoutMs
 */
export async function until(what, probe, timeoutMs = 15_000) {
  const end = Date.now() + timeoutMs;
  let last;
  for (;;) {
    try {
      const answer = await probe();
      if (answer) return answer;
      last = answer;
    } catch (error) {
      last = error;
    }
    if (Date.now() > end) throw new Error(`waited ${timeoutMs} ms in vain for: ${what} (last: ${inspect(last)})`);
    await delay(POLL_MS);
  }
}

function inspect(value) {
  return value instanceof Error ? value.message : JSON.stringify(value)?.slice(0, 500);
}

/** Lets `ms` of a measurement go by: for watching something over a span, not for synchronising. */
export const span = (ms) => delay(ms);
