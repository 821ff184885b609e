/**
 * Which transport is used: the first of the list that works here. One that doesn't is left out for some minutes, and
 * has its turn again at the next attempt after that; what plays is never interrupted for it. Pure; times in ms.
 */

import type { Failure, Mode } from "./transport.ts";

/** A mode that failed is left out for this long: a proxy or a browser doesn't change its ways sooner. */
const LEFT_OUT_MS = 5 * 60_000;
/** A way that is blocked is tried this often in a row: a server that restarts looks the same, once. */
const BLOCKED_TRIES = 2;

/** Chooses among the modes that this browser supports, in the order of preference. */
export class Modes {
  readonly #modes: readonly Mode[];
  readonly #failedAt = new Map<Mode, number>();
  #blocked = 0;

  constructor(modes: readonly Mode[]) {
    this.#modes = modes;
  }

  /** The mode for an attempt that begins now; `null` if there is none at all. */
  current(now: number): Mode | null {
    return this.#modes.find((mode) => this.#mayTry(mode, now)) ?? null;
  }

  /**
   * An attempt in `mode` failed. Answers whether another mode is to be tried at once; if
   * none is left, all begin anew, and when is for others to say.
   */
  failed(mode: Mode, retry: Failure["retry"], now: number): boolean {
    this.#blocked = retry === "blocked" ? this.#blocked + 1 : 0;
    const leave = retry === "other-mode" || this.#blocked >= BLOCKED_TRIES;
    if (!leave) return false;
    this.#blocked = 0;
    this.#failedAt.set(mode, now);
    if (this.#modes.some((other) => this.#mayTry(other, now))) return true;
    this.forget();
    return false;
  }

  /** An attempt has proven itself: what was blocked before was chance. */
  succeeded(): void {
    this.#blocked = 0;
  }

  /** The network is another one, perhaps: all modes may be tried again. */
  forget(): void {
    this.#failedAt.clear();
  }

  #mayTry(mode: Mode, now: number): boolean {
    const failedAt = this.#failedAt.get(mode);
    return failedAt === undefined || now - failedAt >= LEFT_OUT_MS;
  }
}
