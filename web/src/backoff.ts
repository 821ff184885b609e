/**
 * When to try again: at once, then ever later up to a cap, with jitter so that a thousand viewers of a
 * server that restarts don't all return in the same instant. Pure: chance is an argument.
 */

/** The first delayed retry, in ms, before jitter. */
const FIRST_DELAY_MS = 500;
/** No retry waits longer than this, in ms, before jitter. */
const LONGEST_DELAY_MS = 8_000;
/** A delay is spread over this share of its length, downwards. */
const JITTER = 0.5;

/** Counts the failures in a row of one connection. */
export class Backoff {
  #failures = 0;

  /** Failures since the last {@link succeeded}. */
  get failures(): number {
    return this.#failures;
  }

  /**
   * Records a failure and says how long to wait, in ms, before the next attempt. The first answer is 0.
   *
   * @param chance in 0..1, from `Math.random()`
   */
  failed(chance: number): number {
    const before = this.#failures++;
    if (before === 0) return 0;
    const delay = Math.min(FIRST_DELAY_MS * 2 ** (before - 1), LONGEST_DELAY_MS);
    return delay * (1 - JITTER * chance);
  }

  /** The connection has proven itself: the next failure is retried at once again. */
  succeeded(): void {
    this.#failures = 0;
  }
}
