/**
 * Finds out that a camera announces sound and sends none, or stopped sending it. A browser waits for both
 * tracks before it shows anything, so such a stream stands still although all its pictures arrive. Pure.
 */

/** Pictures must have come for this long, in ms... */
const WATCHED_MS = 1_500;
/** ...and sound must lag behind them by this much, in seconds. */
const LAG = 1.5;

/** Watches the tracks of one connection. */
export class SoundCheck {
  #both = false;
  #videoSince: number | null = null;
  #firstVideo: number | null = null;
  #video = 0;
  #audio: number | null = null;

  /** An init segment announced these tracks. */
  begin(kinds: readonly ("video" | "audio")[]): void {
    this.#both = kinds.includes("video") && kinds.includes("audio");
    this.restart();
  }

  /** The camera comes or goes: start observing anew. */
  restart(): void {
    this.#videoSince = null;
    this.#firstVideo = null;
    this.#audio = null;
  }

  /** A sample arrived at `now` (ms); `start` is its decode time in seconds. */
  sample(kind: "video" | "audio", start: number, now: number): void {
    if (kind === "audio") {
      this.#audio = Math.max(this.#audio ?? start, start);
      return;
    }
    this.#video = start;
    this.#firstVideo ??= start;
    this.#videoSince ??= now;
  }

  /** Whether the sound has to be given up, at `now` (ms). */
  missing(now: number): boolean {
    if (!this.#both || this.#videoSince === null || this.#firstVideo === null) return false;
    if (now - this.#videoSince < WATCHED_MS) return false;
    return this.#video - (this.#audio ?? this.#firstVideo) > LAG;
  }
}
