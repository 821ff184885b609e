/**
 * A MediaSource with a SourceBuffer for each track, kept small. Knows nothing of sockets and of live.
 *
 * Each track has its own SourceBuffer because in a common one a hole in the sound throws away the pictures
 * up to the next keyframe (MSE, "coded frame processing": the need-random-access-point flag is set on *all*
 * track buffers).
 */

import type { Range } from "./buffer.ts";
import { type InitTrack, parseFragment, type Sample, splitInit } from "./fmp4.ts";
import { Lane, type MediaFault } from "./lane.ts";
import { bufferedRanges } from "./picture.ts";
import { Trimmer } from "./trim.ts";

export type { MediaFault };

/** What a {@link Media} reports. */
export interface MediaEvents {
  /** Something was appended, or removed. */
  changed(): void;
  /** It can't go on. */
  failed(fault: MediaFault, message: string): void;
  /** A ManagedMediaSource wants data (true), or wants to be left alone (false). */
  wanted(wanted: boolean): void;
}

/** An init segment of one track. */
export interface TrackInit {
  track: InitTrack;
  mime: string;
  bytes: Uint8Array;
}

/** Messages that come while the MediaSource opens, at most: more, and it never will. */
const MAX_EARLY = 20_000;

const MESSAGES: Record<MediaFault, string> = {
  decoder: "The browser can't decode this stream",
  "buffer-full": "The browser can't keep up with this stream",
  unsupported: "The browser can't play this stream's codecs",
};

/** The browser's MediaSource; on iPhones there is only the managed one. */
export function mediaSourceClass(): typeof MediaSource | null {
  const globals = globalThis as { ManagedMediaSource?: typeof MediaSource; MediaSource?: typeof MediaSource };
  return globals.ManagedMediaSource ?? globals.MediaSource ?? null;
}

/** Takes an init segment apart; tracks that `codecs` has no codec for are left out, as are second ones. */
export function trackInits(bytes: Uint8Array, codecs: ReadonlyMap<string, string>): TrackInit[] {
  const inits = splitInit(bytes).map(({ track, bytes: init }) => {
    const codec = codecs.get(track.kind);
    return codec === undefined ? null : { track, mime: `${track.kind}/mp4; codecs="${codec}"`, bytes: init };
  });
  return inits.filter((init, index) => {
    return init !== null && inits.findIndex((other) => other?.track.kind === init.track.kind) === index;
  }) as TrackInit[];
}

/** One MediaSource on one `<video>`. */
export class Media {
  readonly #video: HTMLVideoElement;
  readonly #events: MediaEvents;
  readonly #source: MediaSource;
  readonly #url: string;
  readonly #listeners = new AbortController();
  readonly #trimmer = new Trimmer();
  #inits: TrackInit[] = [];
  #tracks = new Map<number, InitTrack>();
  #lanes = new Map<string, Lane>();
  /** Fragments that come before the MediaSource is open. */
  #early: { kind: string; bytes: Uint8Array; mime: string | null }[] = [];
  #held = false;
  #closed = false;

  /** Attaches a new MediaSource to `video`. Throws where the browser has none. */
  constructor(video: HTMLVideoElement, events: MediaEvents) {
    const Source = mediaSourceClass();
    if (!Source) throw new Error("this browser has no MediaSource");
    this.#video = video;
    this.#events = events;
    this.#source = new Source();
    const options = { signal: this.#listeners.signal };
    this.#source.addEventListener("sourceopen", () => this.#openLanes(), options);
    this.#source.addEventListener("startstreaming", () => this.#hold(false), options);
    this.#source.addEventListener("endstreaming", () => this.#hold(true), options);
    video.addEventListener("error", () => this.#fail("decoder"), options);
    // A ManagedMediaSource opens only where nobody could cast it elsewhere.
    video.disableRemotePlayback = true;
    this.#url = URL.createObjectURL(this.#source);
    video.src = this.#url;
  }

  /** The tracks of the last init segment. */
  get tracks(): ReadonlyMap<number, InitTrack> {
    return this.#tracks;
  }

  /** Whether something waits to be appended. */
  get appending(): boolean {
    return this.#early.length > 0 || [...this.#lanes.values()].some((lane) => lane.appending);
  }

  /** What can be played. */
  ranges(): Range[] {
    if (this.#closed || this.#lanes.size === 0) return [];
    return bufferedRanges(this.#video);
  }

  /** Whether these can follow what was played so far: codecs can change, how many tracks there are can't. */
  accepts(inits: readonly TrackInit[]): boolean {
    if (this.#inits.length === 0) return true;
    const kinds = (of: readonly TrackInit[]) =>
      of
        .map(({ track }) => track.kind)
        .sort()
        .join();
    const same = kinds(inits) === kinds(this.#inits);
    return same && [...this.#lanes.values()].every((lane) => lane.changeable);
  }

  /** Appends init segments; fragments that follow belong to them. */
  init(inits: readonly TrackInit[]): void {
    this.#inits = [...inits];
    this.#tracks = new Map(inits.map(({ track }) => [track.id, track]));
    for (const { track, mime, bytes } of inits) this.#append(track.kind, bytes, mime);
    this.#openLanes();
  }

  /** Appends a fragment of one track, and says what is in it. */
  fragment(bytes: Uint8Array): Sample[] {
    const samples = parseFragment(bytes, this.#tracks);
    const kind = samples[0] && this.#tracks.get(samples[0].trackId)?.kind;
    if (!kind) return [];
    const video = this.#inits.some(({ track }) => track.kind === "video");
    for (const { keyframe, start, compositionOffset } of samples) {
      if (keyframe && (kind === "video" || !video)) this.#trimmer.keyframe(start + compositionOffset);
    }
    this.#append(kind, bytes, null);
    return samples;
  }

  /** Removes what was played long ago. */
  trim(): void {
    this.#remove(false);
  }

  /** Frees everything but the last picture, which stays until the `<video>` gets another source. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#listeners.abort();
    for (const lane of this.#lanes.values()) lane.close();
    this.#early = [];
    URL.revokeObjectURL(this.#url);
  }

  #append(kind: string, bytes: Uint8Array, mime: string | null): void {
    if (this.#closed) return;
    const lane = this.#lanes.get(kind);
    if (lane) lane.append(bytes, mime);
    else this.#early.push({ kind, bytes, mime });
    if (this.#early.length > MAX_EARLY) this.#fail("buffer-full");
  }

  /** All at once: a MediaSource takes no further SourceBuffers once it has begun to play. */
  #openLanes(): void {
    if (this.#lanes.size > 0 || this.#inits.length === 0 || this.#source.readyState !== "open") return;
    try {
      for (const { track, mime } of this.#inits) {
        const lane = new Lane(this.#source.addSourceBuffer(mime), mime, {
          changed: () => this.#events.changed(),
          full: () => this.#remove(true),
          failed: (fault) => this.#fail(fault),
        });
        this.#lanes.set(track.kind, lane);
        lane.hold(this.#held);
      }
    } catch {
      this.#fail("unsupported");
      return;
    }
    for (const { kind, bytes, mime } of this.#early.splice(0)) this.#append(kind, bytes, mime);
  }

  #remove(urgent: boolean): boolean {
    const from = this.ranges()[0]?.start;
    if (from === undefined) return false;
    const until = this.#trimmer.until(from, this.#video.currentTime, urgent);
    if (until === null) return false;
    return [...this.#lanes.values()].map((lane) => lane.remove(until)).includes(true);
  }

  #hold(held: boolean): void {
    this.#held = held;
    for (const lane of this.#lanes.values()) lane.hold(held);
    this.#events.wanted(!held);
  }

  #fail(fault: MediaFault): void {
    if (this.#closed) return;
    const detail = this.#video.error?.message;
    this.close();
    this.#events.failed(fault, detail ? `${MESSAGES[fault]}: ${detail}` : MESSAGES[fault]);
  }
}
