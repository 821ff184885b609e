/**
 * What to do about the playback position: start with the oldest data that came, jump to live, stay there with
 * gentle changes of speed, hop over gaps. Pure. All times in seconds.
 */

import { Arrivals } from "./arrivals.ts";

/**
 * Decoding and display need this much beyond the arrivals' spread. With sound it is more: what is decoded
 * waits in the audio device's buffer, and Chromium counts the position behind it.
 */
const MARGIN = 0.06;
const MARGIN_WITH_SOUND = 0.1;
/**
 * Chromium brings sound to the device's rate in blocks of 512 samples, of which one is played while the next is
 * filled: of a telephone's 8000 a second, that is 128 ms.
 */
const RESAMPLED_AT_ONCE = 2 * 512;
/** The distance behind live that is aimed at stays within these. */
const TARGET_MIN = 0.1;
const TARGET_MAX = 3;
/** Each time playback runs dry, the target grows by this, up to the maximum, and shrinks by it slowly. */
const STALL_STEP = 0.05;
const STALL_MAX = 1;
/** The first time after this, then each time after twice as long: a target that is too low shows. */
const STALL_FORGIVEN_AFTER = 30;
const STALL_FORGIVEN_AFTER_MAX = 1_920;
/** Running dry again within this is the same event. */
const STALL_COOLDOWN = 0.5;

/** What {@link LiveBuffer.keepAway} adds to the target, each time and altogether. */
const DISTANCE_STEP = 0.4;
const DISTANCE_MAX = 1.2;
/** This much too close to live after that, playback jumps back, once: slowing down would take too long. */
const JUMP_BACK = 0.25;

/** Further behind the target than this, playback jumps to live; while starting, sooner. */
const JUMP = 2;
const JUMP_WHILE_STARTING = 0.4;
/** At least this long between jumps, so that a slow decoder isn't made to start over again and again. */
const JUMP_PAUSE = 3;
const JUMP_PAUSE_WHILE_STARTING = 1;
/** The backlog that greets a new viewer is waited for this long, so that one jump gets to its end. */
const BACKLOG = 1;
/** It has ended when nothing of it came for this long. */
const BACKLOG_PAUSE = 0.05;
/** Starting ends at live, or after this. */
const STARTING_LASTS = 6;

/** Speed is left alone while the error is below the first; once it is changed, until below the second. */
const TOLERANCE = 0.04;
const SETTLED = 0.01;
/**
 * Speeds, from which error on. Few, and kept until the error is settled: WebKitGTK starts the decoder anew at
 * each change.
 */
const FASTER = [
  { from: 1, rate: 1.25 },
  { from: 0.25, rate: 1.1 },
  { from: 0, rate: 1.05 },
];
const SLOWER = 0.95;
/** Almost nothing is left of the distance from live: a pause would be worse. */
const DRAINED = 0.88;
/** Never plays faster than 1 with less than this ahead. */
const KEEP_AHEAD = 0.08;

/** Jumps end no closer than this to the end of what is buffered. */
const EDGE = 0.06;
/** Not moving for so long this close to a gap, playback has come to it; browsers stop short of it. */
const STOPPED = 0.2;
const STOPPED_EDGE = 0.6;
/** Standing still for this long with this much ahead, playback needs a push. */
const STUCK = 1.5;
const STUCK_AHEAD = 0.5;
/** Lands this far inside a range: browsers round. */
const NUDGE = 0.005;

/** A range of buffered media. */
export interface Range {
  start: number;
  end: number;
}

/** What is the case. */
export interface Playback {
  now: number;
  currentTime: number;
  /** In order, not overlapping. */
  ranges: readonly Range[];
  /** A seek is under way. */
  seeking: boolean;
  /** A picture of this connection has been shown. */
  pictured: boolean;
  /** Media has been received that isn't in `ranges` yet. */
  appending: boolean;
}

/** What to do. */
export interface Advice {
  /** Where to seek to, or `null`. */
  seekTo: number | null;
  /** The `playbackRate` to set. */
  rate: number;
}

/** Keeps one playing element at live. */
export class LiveBuffer {
  readonly #arrivals = new Arrivals();
  #startedAt: number | null = null;
  #starting = true;
  #jumpedAt = Number.NEGATIVE_INFINITY;
  #seekCost = 0;
  /** The speed that is to put an error right. */
  #correction = 1;
  #position = -1;
  #movedAt = 0;
  #distance = 0;
  /** How much sound is resampled at once. */
  #block = 0;
  #part = 0;
  #holdBack = 0;
  /** The distance has grown, and playback has not fallen back to it yet. */
  #fallsBack = false;
  #stallPenalty = 0;
  #stalledAt = Number.NEGATIVE_INFINITY;
  #stalls = 0;
  #forgivenAfter = STALL_FORGIVEN_AFTER / 2;

  /** Another MediaSource, perhaps another time line: begin again. What was learned about stalls stays. */
  reset(): void {
    this.#arrivals.reset();
    this.#startedAt = null;
    this.#starting = true;
    this.#jumpedAt = Number.NEGATIVE_INFINITY;
    this.#correction = 1;
  }

  /** There is sound, of so many samples a second. */
  sound(sampleRate: number): void {
    this.#block = RESAMPLED_AT_ONCE / sampleRate;
  }

  /** A sample arrived. `lead` as for {@link Arrivals.add}. */
  arrived(track: number, lead: boolean, start: number, now: number): void {
    this.#arrivals.add(track, lead, start, now);
  }

  /** Playback ran dry although media was flowing. */
  stalled(now: number): void {
    if (now - this.#stalledAt < STALL_COOLDOWN) return;
    this.#forgive(now);
    this.#stalledAt = now;
    this.#stalls++;
    this.#forgivenAfter = Math.min(this.#forgivenAfter * 2, STALL_FORGIVEN_AFTER_MAX);
    this.#stallPenalty = Math.min(this.#stallPenalty + STALL_STEP, STALL_MAX);
  }

  /** This decoder needs to be further from live: from now on by as much again. Answers the distance added. */
  keepAway(distance = this.#distance + DISTANCE_STEP): number {
    this.#distance = Math.min(distance, DISTANCE_MAX);
    this.#fallsBack = this.#distance > 0;
    return this.#distance;
  }

  /** Media comes in parts of this length, and players shall be at least `holdBack` behind (PART-HOLD-BACK). */
  inParts(length: number, holdBack: number): void {
    this.#part = length;
    this.#holdBack = holdBack;
  }

  /** A seek took this long until the next picture. */
  sought(cost: number): void {
    this.#seekCost = cost;
  }

  /** How often playback ran dry. */
  get stalls(): number {
    return this.#stalls;
  }

  /** How far behind live playback should be. */
  target(): number {
    const margin = this.#arrivals.tracks > 1 ? MARGIN_WITH_SOUND + this.#block : MARGIN;
    const needed = clamp(this.#arrivals.spread() + this.#part + margin, TARGET_MIN, TARGET_MAX);
    return Math.max(needed, this.#holdBack) + this.#stallPenalty + this.#distance;
  }

  /** How far behind live a position is, or `null` before the first sample. */
  lag(currentTime: number, now: number): number | null {
    const live = this.#arrivals.live(now);
    return live === null ? null : live - currentTime;
  }

  /** What to do now. Call it a few times a second, and after each append while starting. */
  advise(playback: Playback): Advice {
    const { now, currentTime, ranges } = playback;
    const newest = ranges.at(-1);
    if (!newest || playback.seeking) return { seekTo: null, rate: 1 };
    if (this.#startedAt === null) return this.#begin(now, currentTime, newest);
    this.#forgive(now);

    const lag = this.lag(currentTime, now) ?? 0;
    const aim = clamp(currentTime + lag - this.target(), newest.start + NUDGE, newest.end - EDGE);
    const range = ranges.find((r) => currentTime >= r.start - NUDGE && currentTime <= r.end + NUDGE);
    const stuck = this.#stuckFor(now, currentTime);
    // With B-frames there is a hole before the newest picture until those that belong before it have come.
    const gap = range !== newest && stuck > STOPPED && range && range.end - currentTime < STOPPED_EDGE;
    if (!range || gap) return this.#hop(playback, aim);

    const behind = lag - this.target();
    if (this.#starting && this.#hasStarted(now, behind, playback)) this.#starting = false;
    const idle = stuck > STUCK && range.end - currentTime > STUCK_AHEAD && now - this.#jumpedAt > STUCK;
    if (idle || this.#mayJump(playback, behind, aim)) {
      this.#jumpedAt = now;
      return { seekTo: aim, rate: 1 };
    }
    if (this.#backlogComes(playback)) return { seekTo: null, rate: 1 };
    return { seekTo: null, rate: this.#rate(behind, lag, range.end - currentTime) };
  }

  #begin(now: number, currentTime: number, newest: Range): Advice {
    this.#startedAt = now;
    const there = currentTime >= newest.start && currentTime < newest.end;
    return { seekTo: there ? null : newest.start + NUDGE, rate: 1 };
  }

  /** Out of the buffered ranges, or at the end of one that isn't the last. */
  #hop(playback: Playback, aim: number): Advice {
    const { currentTime, ranges } = playback;
    const newest = ranges.at(-1);
    // Just past the end of everything is where playback waits for more.
    if (newest && currentTime > newest.end && currentTime - newest.end < 1) return { seekTo: null, rate: 1 };
    const next = ranges.find((range) => range.start > currentTime);
    const seekTo = next && next !== newest ? next.start + NUDGE : aim;
    return { seekTo, rate: 1 };
  }

  #stuckFor(now: number, currentTime: number): number {
    if (currentTime !== this.#position) {
      this.#position = currentTime;
      this.#movedAt = now;
    }
    return now - this.#movedAt;
  }

  #hasStarted(now: number, behind: number, playback: Playback): boolean {
    if (this.#startedAt !== null && now - this.#startedAt > STARTING_LASTS) return true;
    return playback.pictured && !this.#backlogComes(playback) && behind < JUMP_WHILE_STARTING;
  }

  #mayJump(playback: Playback, behind: number, aim: number): boolean {
    // The first picture comes before everything: a seek would delay it by the decoding of a whole GOP.
    if (!playback.pictured || this.#backlogComes(playback)) return false;
    const threshold = this.#starting ? JUMP_WHILE_STARTING : JUMP;
    const pause = this.#starting ? JUMP_PAUSE_WHILE_STARTING : Math.max(JUMP_PAUSE, 4 * this.#seekCost);
    const waited = playback.now - this.#jumpedAt;
    const gain = aim - playback.currentTime;
    // Not before all of the way back is there: half of it would not help the decoder.
    const whole = gain - behind < 2 * NUDGE;
    if (this.#fallsBack && -behind > JUMP_BACK && whole && waited > pause) {
      this.#fallsBack = false;
      return true;
    }
    if (-behind <= JUMP_BACK) this.#fallsBack = false;
    return behind > threshold && gain > threshold / 2 + this.#seekCost && waited > pause;
  }

  #backlogComes({ now, appending }: Playback): boolean {
    if (this.#startedAt === null || now - this.#startedAt > BACKLOG) return false;
    return appending || now - this.#arrivals.fellAt < BACKLOG_PAUSE;
  }

  #rate(behind: number, lag: number, ahead: number): number {
    // What is late because nothing arrives can't be made good by hurrying into the void.
    const error = behind > 0 ? Math.min(behind, Math.max(0, ahead - KEEP_AHEAD)) : behind;
    const before = this.#correction;
    const settled = Math.abs(error) < SETTLED || Math.sign(error) !== Math.sign(before - 1);
    if (before === 1 || settled) this.#correction = Math.abs(error) < TOLERANCE ? 1 : speed(error);
    else if (error > 0) this.#correction = Math.max(before, speed(error));
    return error < 0 && this.#correction < 1 && lag < this.target() / 3 ? DRAINED : this.#correction;
  }

  #forgive(now: number): void {
    if (now - this.#stalledAt < this.#forgivenAfter || this.#stallPenalty === 0) return;
    this.#stalledAt = now;
    this.#stallPenalty = Math.max(0, this.#stallPenalty - STALL_STEP);
  }
}

function clamp(value: number, least: number, most: number): number {
  return Math.max(least, Math.min(value, most));
}

function speed(error: number): number {
  return error < 0 ? SLOWER : (FASTER.find(({ from }) => error > from)?.rate ?? 1);
}
