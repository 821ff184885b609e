/**
 * When media arrives compared with its own time line: what "live" is, and how far behind it a player must
 * stay so that it never runs dry. Pure. All times in seconds.
 *
 * The delay of a sample is its arrival time less its decode time. The two clocks have nothing to do with each
 * other, so only differences of delays mean something: the smallest delay of late is "as live as it gets",
 * and what other samples need beyond it is jitter.
 */

/** Delays are remembered in slices of this length... */
const SLICE = 1;
/** ...and this many of them, which bounds how long clock drift and old spikes count. */
const SLICES = 12;
/** A delay that differs by more than this is another time line (a camera's restart, an outage), not jitter. */
const JUMP = 2.5;

interface Slice {
  until: number;
  smallest: number;
  worst: number;
}

/** The recent delays of one track. */
class TrackDelays {
  #slices: Slice[] = [];

  /** Answers false if the sample starts another time line, so that nothing remembered counts any more. */
  add(delay: number, now: number): boolean {
    const before = this.smallest();
    const steady = before === null || Math.abs(delay - before) <= JUMP;
    if (!steady) this.#slices = [];
    const slice = this.#current(now);
    slice.smallest = Math.min(slice.smallest, delay);
    // Against the smallest delay *so far*: the backlog that greets a new viewer comes with ever smaller
    // delays, and is not jitter.
    slice.worst = Math.max(slice.worst, delay - Math.min(this.smallest() ?? delay, delay));
    return steady;
  }

  /** The delay of the least delayed sample. */
  smallest(): number | null {
    if (this.#slices.length === 0) return null;
    return Math.min(...this.#slices.map((slice) => slice.smallest));
  }

  /** The second worst second of late: one lonely hiccup doesn't cost everybody latency. */
  jitter(): number {
    const worst = this.#slices.map((slice) => slice.worst).sort((a, b) => b - a);
    return worst[1] ?? 0;
  }

  #current(now: number): Slice {
    const last = this.#slices.at(-1);
    if (last && now < last.until) return last;
    const slice = { until: now + SLICE, smallest: Number.POSITIVE_INFINITY, worst: 0 };
    this.#slices.push(slice);
    if (this.#slices.length > SLICES) this.#slices.shift();
    return slice;
  }
}

/** A smallest delay that falls by more than this is the backlog that greets a new viewer, or a burst. */
const FALL = 0.01;

/** The arrivals of all tracks of one stream. */
export class Arrivals {
  #tracks = new Map<number, TrackDelays>();
  #lead: number | null = null;
  #fellAt = Number.NEGATIVE_INFINITY;

  /** When a sample came that was far more live than all before it: for as long as they do, more will. */
  get fellAt(): number {
    return this.#fellAt;
  }

  /** How many tracks samples came from. */
  get tracks(): number {
    return this.#tracks.size;
  }

  /**
   * Records a sample.
   *
   * @param lead whether this track says what "live" is: video, or the sound of a stream without video
   */
  add(track: number, lead: boolean, start: number, now: number): void {
    if (lead) this.#lead = track;
    let delays = this.#tracks.get(track);
    if (!delays) {
      delays = new TrackDelays();
      this.#tracks.set(track, delays);
    }
    const before = delays.smallest();
    const steady = delays.add(now - start, now);
    if (lead && (before === null || before - (now - start) > FALL)) this.#fellAt = now;
    if (!steady) this.#tracks = new Map([[track, delays]]); // the other tracks jump with it
  }

  /** The stream position that has just become available at the best, or `null` before the first sample. */
  live(now: number): number | null {
    const smallest = this.#lead === null ? null : this.#tracks.get(this.#lead)?.smallest();
    return smallest === null || smallest === undefined ? null : now - smallest;
  }

  /** How far behind {@link live} a player must stay for every track's samples to be there in time. */
  spread(): number {
    const lead = this.#lead === null ? null : this.#tracks.get(this.#lead)?.smallest();
    if (lead === null || lead === undefined) return 0;
    let spread = 0;
    for (const delays of this.#tracks.values()) {
      const smallest = delays.smallest();
      if (smallest !== null) spread = Math.max(spread, smallest - lead + delays.jitter());
    }
    return spread;
  }

  /** Forgets all: another connection may have another time line. */
  reset(): void {
    this.#tracks.clear();
    this.#lead = null;
    this.#fellAt = Number.NEGATIVE_INFINITY;
  }
}
