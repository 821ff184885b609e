/**
 * Where hls.js begins in a low-latency playlist, and that it loads parts. Left alone, it looks for neither: it begins
 * at a distance from live, where there may be no keyframe for seconds, and takes to parts only once it has played into
 * the newest whole segment, which a playlist that has just begun doesn't have; and after a whole segment it takes no part
 * without a keyframe. The first viewer of a stream, and all those of a camera with few keyframes, would wait for the end
 * of a segment.
 *
 * `config.streamController` is hls.js's own seam; the methods are inner ones, so its version is pinned exactly.
 */

import type Hls from "hls.js/light";
import type { HlsConfig, LevelDetails } from "hls.js/light";

/** Lands this far inside a part, in seconds: times in playlists are rounded. */
const NUDGE = 0.01;

/** What is looked at of a playlist. Times in seconds. */
export type Listing = Pick<LevelDetails, "edge" | "partHoldBack" | "partTarget"> & {
  partList: readonly { start: number; independent: boolean }[] | null;
};

/**
 * Where to begin, in seconds before the end (a negative number): at the last keyframe that is as far from live as the
 * server wants, or else at the first there is. `null` if no part begins with one.
 */
export function startOffset({ edge, partHoldBack, partTarget, partList }: Listing): number | null {
  const latest = edge - (partHoldBack || 3 * partTarget);
  const keyframes = partList?.filter((part) => part.independent) ?? [];
  const start = keyframes.filter((part) => part.start <= latest).at(-1) ?? keyframes[0];
  return start ? start.start - edge + NUDGE : null;
}

/** What is overridden, and used. */
interface Inner {
  fragPrevious: unknown;
  setStartPosition(details: LevelDetails, sliding: number): void;
  getNextPart(parts: LevelDetails["partList"], fragment: unknown, at: number): number;
}

/** hls.js's stream controller, which begins at keyframes and loads parts as soon as there are no whole segments. */
export function fromKeyframes({ DefaultConfig }: typeof Hls): HlsConfig["streamController"] {
  const Base = DefaultConfig.streamController as unknown as new (...all: unknown[]) => Inner;
  class StreamController extends Base {
    /** Whole segments are fewer requests; parts begin with the last of them, since the rest has nothing else. */
    shouldLoadParts(details: LevelDetails | undefined, bufferEnd: number): boolean {
      return Boolean(details?.partList?.length) && bufferEnd >= (details?.fragmentEnd ?? 0) - NUDGE;
    }

    /** A part that begins where the buffer ends needs no keyframe. */
    override getNextPart(parts: LevelDetails["partList"], fragment: unknown, at: number): number {
      const next = super.getNextPart(parts, fragment, at);
      if (next !== -1 || !this.fragPrevious || !parts) return next;
      return parts.findIndex((part) => !part.loaded && Math.abs(part.start - at) < NUDGE);
    }

    override setStartPosition(details: LevelDetails, sliding: number): void {
      details.startTimeOffset ??= startOffset(details);
      super.setStartPosition(details, sliding);
    }
  }
  return StreamController as unknown as HlsConfig["streamController"];
}
