/** One SourceBuffer, fed in order. */

/** Waiting to be appended: more than this, and the browser can't keep up. A backlog on arrival is less. */
const MAX_QUEUED_BYTES = 48 * 1024 * 1024;
/** Appended in one go at most. */
const MAX_APPEND_BYTES = 1024 * 1024;

type Item = { mime: string | null; bytes: Uint8Array };

/** Why a {@link Lane} or its MediaSource can't go on. */
export type MediaFault = "decoder" | "buffer-full" | "unsupported";

/** What a {@link Lane} reports. */
export interface LaneEvents {
  /** Something was appended, or removed. */
  changed(): void;
  /** The browser's quota is reached. Answers whether something is being removed to make room. */
  full(): boolean;
  failed(fault: MediaFault): void;
}

/** The queue before one SourceBuffer. */
export class Lane {
  readonly #buffer: SourceBuffer;
  readonly #events: LaneEvents;
  readonly #listeners = new AbortController();
  #mime: string;
  #queue: Item[] = [];
  #queuedBytes = 0;
  /** How many of the queue's first items are being appended. */
  #inFlight = 0;
  #held = false;

  constructor(buffer: SourceBuffer, mime: string, events: LaneEvents) {
    this.#buffer = buffer;
    this.#mime = mime;
    this.#events = events;
    const options = { signal: this.#listeners.signal };
    buffer.addEventListener("updateend", () => this.#updated(), options);
    buffer.addEventListener("error", () => events.failed("decoder"), options);
  }

  /** Whether something waits to be appended. */
  get appending(): boolean {
    return this.#queue.length > 0;
  }

  /** Whether other codecs can follow what was appended so far. */
  get changeable(): boolean {
    return typeof this.#buffer.changeType === "function";
  }

  /** Appends bytes; an init segment comes with its MIME type. */
  append(bytes: Uint8Array, mime: string | null): void {
    this.#queue.push({ mime, bytes });
    this.#queuedBytes += bytes.byteLength;
    if (this.#queuedBytes > MAX_QUEUED_BYTES) this.#events.failed("buffer-full");
    else this.#pump();
  }

  /** Removes everything before `until` (seconds), which must be a keyframe's time. Answers whether it does. */
  remove(until: number): boolean {
    if (this.#buffer.updating || this.#inFlight > 0) return false;
    this.#buffer.remove(0, until);
    return true;
  }

  /** While held, bytes wait. */
  hold(held: boolean): void {
    this.#held = held;
    this.#pump();
  }

  /** Ends it. */
  close(): void {
    this.#listeners.abort();
    this.#held = true;
    this.#queue = [];
    this.#queuedBytes = 0;
  }

  #pump(): void {
    const item = this.#queue[0];
    // `updating` turns false a moment before `updateend` comes: until then the same items are still queued.
    if (!item || this.#held || this.#inFlight > 0 || this.#buffer.updating) return;
    try {
      if (item.mime !== null && item.mime !== this.#mime) {
        this.#buffer.changeType(item.mime);
        this.#mime = item.mime;
      }
      this.#buffer.appendBuffer(this.#take());
    } catch (error) {
      this.#inFlight = 0;
      this.#refused(error);
    }
  }

  /** The bytes to append next, which stay in the queue until {@link #updated}: a full buffer refuses them. */
  #take(): Uint8Array<ArrayBuffer> {
    let count = 0;
    let bytes = 0;
    for (const item of this.#queue) {
      const fits = bytes + item.bytes.byteLength <= MAX_APPEND_BYTES;
      if (count > 0 && (item.mime !== null || !fits)) break;
      count++;
      bytes += item.bytes.byteLength;
    }
    const joined = new Uint8Array(bytes);
    let at = 0;
    for (const item of this.#queue.slice(0, count)) {
      joined.set(item.bytes, at);
      at += item.bytes.byteLength;
    }
    this.#inFlight = count;
    return joined;
  }

  #updated(): void {
    for (const { bytes } of this.#queue.splice(0, this.#inFlight)) this.#queuedBytes -= bytes.byteLength;
    this.#inFlight = 0;
    this.#events.changed();
    this.#pump();
  }

  #refused(error: unknown): void {
    const name = error instanceof DOMException ? error.name : "";
    if (name === "QuotaExceededError") {
      if (!this.#events.full()) this.#events.failed("buffer-full");
    } else {
      this.#events.failed(name === "NotSupportedError" ? "unsupported" : "decoder");
    }
  }
}
