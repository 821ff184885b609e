/**
 * What may be removed from a SourceBuffer. Pure, in seconds.
 *
 * `SourceBuffer.remove(0, t)` also removes everything from `t` to the next keyframe (MSE, "coded frame
 * removal"), which for a camera with a keyframe a minute is the picture that is being watched. So `t` must be
 * a keyframe's own time.
 */

/** Keeps at least this much behind the playback position... */
const KEEP_BEHIND = 10;
/** ...and doesn't bother to remove less than this. */
const WORTHWHILE = 10;
/** A keyframe's time is rounded differently here and there. */
const ROUNDING = 0.001;
/** Keyframes closer together than this aren't worth remembering... */
const SPACING = 1;
/** ...and more than this are forgotten, the oldest first. */
const MAX_KEYFRAMES = 300;

/** Remembers where keyframes are. */
export class Trimmer {
  #keyframes: number[] = [];

  /** A keyframe was appended at this presentation time. */
  keyframe(at: number): void {
    const last = this.#keyframes.at(-1);
    if (last !== undefined && Math.abs(at - last) < SPACING) return;
    this.#keyframes.push(at);
    if (this.#keyframes.length > MAX_KEYFRAMES) this.#keyframes.shift();
  }

  /**
   * Up to where to remove, or `null` if it isn't worth while.
   *
   * @param urgent the browser's quota is reached: remove all that isn't needed for the picture on screen
   */
  until(bufferedFrom: number, currentTime: number, urgent = false): number | null {
    const keep = urgent ? 0 : KEEP_BEHIND;
    const least = urgent ? 0 : WORTHWHILE;
    // A GOP is dispensable only if the picture on screen belongs to a later one.
    const newest = this.#keyframes.filter((at) => at <= currentTime - keep).at(-1);
    if (newest === undefined) return null;
    const until = newest - ROUNDING;
    if (until - bufferedFrom <= least) return null;
    this.#keyframes = this.#keyframes.filter((at) => at >= newest);
    return until;
  }
}
