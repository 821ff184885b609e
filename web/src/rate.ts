/** Bits a second over the last few seconds. Pure. */

/** The length of the window, in ms. */
const WINDOW_MS = 3_000;
/** Bytes are summed over slices of this length, in ms. */
const SLICE_MS = 250;

/** Measures a rate. */
export class Rate {
  #slices: { at: number; bytes: number }[] = [];

  /** Bytes came at `now` (ms). */
  add(bytes: number, now: number): void {
    const last = this.#slices.at(-1);
    if (last && now - last.at < SLICE_MS) last.bytes += bytes;
    else this.#slices.push({ at: now, bytes });
    this.#forget(now);
  }

  /** The rate at `now` (ms), in bit/s. */
  bitsPerSecond(now: number): number {
    this.#forget(now);
    const first = this.#slices[0];
    if (!first) return 0;
    const bytes = this.#slices.reduce((sum, slice) => sum + slice.bytes, 0);
    return Math.round((bytes * 8_000) / Math.max(now - first.at, SLICE_MS));
  }

  #forget(now: number): void {
    while (this.#slices[0] && now - this.#slices[0].at > WINDOW_MS) this.#slices.shift();
  }
}
