/**
 * Finds out that a browser drops the B-frames of a stream that it plays too close to live. Firefox empties its
 * decoder whenever it has decoded all there is; the next picture in display order then comes out early, and
 * the B-frames that belong before it are dropped: 8 of 25 pictures a second are left. Further from live, the
 * decoder is always ahead of the screen and never runs out. Pure; times in ms.
 */

/**
 * Whether a browser is known to do so. To know it beforehand saves the viewer the jump back; one that is not
 * known is found out.
 */
export function emptiesDecoder(userAgent: string): boolean {
  return /\bFirefox\//.test(userAgent);
}

/** Pictures are counted over this long. */
const WINDOW_MS = 2_000;
/** With fewer than this in a window, nothing can be said. */
const LEAST_SAMPLES = 10;
/** A smaller share of the pictures than this means that some are dropped. */
const SHARE = 0.75;

/** What is the case. */
export interface FrameSight {
  now: number;
  /** Video samples received and pictures decoded so far. */
  samples: number;
  frames: number;
  /** Whether the stream has B-frames, and plays without a seek or a wait just now. */
  reordered: boolean;
  steady: boolean;
}

/** Compares what comes with what is shown. */
export class FrameCheck {
  #from: FrameSight | null = null;

  /** Answers true, once a window, if too few pictures come out. */
  tooFew(sight: FrameSight): boolean {
    const from = this.#from;
    const restart = !from || !sight.steady || !sight.reordered || sight.frames < from.frames;
    if (restart || sight.now - from.now >= WINDOW_MS) this.#from = sight;
    if (restart || sight.now - from.now < WINDOW_MS) return false;
    const samples = sight.samples - from.samples;
    return samples >= LEAST_SAMPLES && (sight.frames - from.frames) / samples < SHARE;
  }
}
