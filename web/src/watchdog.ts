/**
 * Notices what nobody reports: a socket that died without a word, a picture that froze though media flows, a
 * computer that slept. Pure; times in ms.
 */

import type { Flow } from "./transport.ts";

/** From the start of an attempt until anything at all is heard. */
const OPEN_TIMEOUT_MS = 5_000;
/** From anything heard until the first media, while the camera is being dialled. */
const FIRST_MEDIA_TIMEOUT_MS = 20_000;
/** While the camera is away: its announced retry, and this much for the dialling. */
const OFFLINE_PATIENCE_MS = 30_000;
/** Media that flowed stays away this long: the connection is taken for dead. */
const SILENCE_MS = 4_000;
/** Silence that a new connection didn't end is the camera's: patience doubles each time, up to this. */
const SILENCE_MAX_MS = 16_000;
/** The same for pictures, while media arrives. */
const FROZEN_MS = 3_500;
/** So many samples must have come since the last picture for it to count as frozen. */
const FROZEN_SAMPLES = 3;
/** Before that, the viewer is told that nothing new comes. */
const STALLED_MS = 2_000;
/** Patience for a stream that is slower than that by itself, as a multiple of its own interval. */
const INTERVALS = 2.5;
/** Longer between two checks than this: the computer slept, and the server has given this viewer up. */
const SLEPT_MS = 12_000;
/** Shorter, but longer than this: timers were held back, so nothing can be concluded from clocks alone. */
const HELD_BACK_MS = 1_500;
/** Media that keeps coming for this long makes patience short again. */
const STEADY_MS = 10_000;

/** What is the case. */
export interface Sight {
  now: number;
  /** When the attempt began. */
  startedAt: number;
  flow: Flow;
  /** The camera is known to be away; its next dialling is due in this many ms, if it was said. */
  offline: { retryInMs: number | null } | null;
  /** Decoded frames, as the browser counts them; any change is progress. */
  frames: number;
  /** Playback position in seconds. */
  position: number;
}

/** `stalled` is to be shown; the others end the attempt. */
export type Verdict = "fine" | "stalled" | "unreachable" | "silent" | "frozen" | "slept";

/** Watches one element's attempts, one after the other. */
export class Watchdog {
  #checkedAt: number | null = null;
  #attempt: number | null = null;
  #frames = -1;
  #position = -1;
  #progressAt = 0;
  #samplesAtProgress = 0;
  #heldBackAt = Number.NEGATIVE_INFINITY;
  #flowingSince: number | null = null;
  #silences = 0;

  /** Looks once. Call it several times a second. */
  check(sight: Sight): Verdict {
    const { now, flow } = sight;
    const pause = this.#checkedAt === null ? 0 : now - this.#checkedAt;
    this.#checkedAt = now;
    if (this.#attempt !== sight.startedAt) this.#begin(sight);
    else if (pause > SLEPT_MS) return "slept";
    if (pause > HELD_BACK_MS) this.#heldBackAt = now;
    this.#noteProgress(sight);
    this.#noteFlow(sight);

    if (flow.heardAt === null) return now - sight.startedAt > OPEN_TIMEOUT_MS ? "unreachable" : "fine";
    if (sight.offline) {
      const patience = OFFLINE_PATIENCE_MS + (sight.offline.retryInMs ?? 0);
      return this.#since(flow.heardAt, now) > patience ? "silent" : "fine";
    }
    if (flow.mediaAt === null) {
      return this.#since(flow.heardAt, now) > FIRST_MEDIA_TIMEOUT_MS ? "silent" : "fine";
    }
    return this.#checkFlow(now, flow, Math.max(flow.mediaAt, flow.heardAt));
  }

  /** Nobody watches for a while: what the clock says afterwards means nothing. */
  pause(): void {
    this.#checkedAt = null;
    this.#attempt = null;
  }

  #begin(sight: Sight): void {
    this.#attempt = sight.startedAt;
    this.#frames = sight.frames;
    this.#position = sight.position;
    this.#progressAt = sight.now;
    this.#samplesAtProgress = 0;
    this.#flowingSince = null;
  }

  #checkFlow(now: number, flow: Flow, heardAt: number): Verdict {
    const own = flow.sampleIntervalMs * INTERVALS;
    const quiet = this.#since(heardAt, now);
    const patience = Math.min(SILENCE_MS * 2 ** this.#silences, SILENCE_MAX_MS);
    if (quiet > Math.max(patience, own)) {
      this.#silences++;
      return "silent";
    }
    // After a pause of the camera, the picture is given its time from when media flows again.
    const frozenFor = this.#since(Math.max(this.#progressAt, this.#flowingSince ?? now), now);
    const pending = flow.samples - this.#samplesAtProgress;
    if (frozenFor > Math.max(FROZEN_MS, own) && pending >= FROZEN_SAMPLES && quiet < STALLED_MS)
      return "frozen";
    return quiet > Math.max(STALLED_MS, own) ? "stalled" : "fine";
  }

  #noteProgress({ now, flow, frames, position }: Sight): void {
    const progressed = flow.hasVideo ? frames !== this.#frames : position !== this.#position;
    this.#frames = frames;
    this.#position = position;
    if (!progressed && flow.mediaAt !== null && flow.samples > 0) return;
    this.#progressAt = now;
    this.#samplesAtProgress = flow.samples;
  }

  #noteFlow({ now, flow }: Sight): void {
    const flowing = flow.mediaAt !== null && now - flow.mediaAt < STALLED_MS;
    if (!flowing) this.#flowingSince = null;
    else this.#flowingSince ??= now;
    if (this.#flowingSince !== null && now - this.#flowingSince > STEADY_MS) this.#silences = 0;
  }

  /** Time passed, not counting what passed while timers were held back. */
  #since(then: number, now: number): number {
    return now - Math.max(then, this.#heldBackAt);
  }
}
