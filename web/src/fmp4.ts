/**
 * As much of ISO/IEC 14496-12 as a player needs to know about what it appends: which track a fragment
 * belongs to, when its samples start, and which of them are keyframes. Pure. Bytes that make no sense give
 * `null` or nothing; they never throw.
 */

/** One track of an init segment (`moov/trak`). */
export interface InitTrack {
  id: number;
  kind: "video" | "audio" | "other";
  /** Ticks a second (`mdhd`). */
  timescale: number;
  /** Sample defaults that fragments may leave out (`trex`). */
  defaultDuration: number;
  defaultFlags: number;
}

/** One sample of a fragment, in seconds on the stream's time line. */
export interface Sample {
  trackId: number;
  /** Decode time. */
  start: number;
  duration: number;
  /** Presentation time less decode time. */
  compositionOffset: number;
  keyframe: boolean;
}

/** Set in a sample's flags when it isn't a sync sample (8.8.3.1). */
const NON_SYNC = 0x10000;
/** A fragment with more samples than this is not one of ours. */
const MAX_SAMPLES = 10_000;

const TFHD = { baseDataOffset: 0x1, descriptionIndex: 0x2, duration: 0x8, size: 0x10, flags: 0x20 };
const TRUN = { dataOffset: 0x1, firstFlags: 0x4, duration: 0x100, size: 0x200, flags: 0x400, offset: 0x800 };

interface Box {
  type: string;
  /** The body, without the header. */
  body: DataView;
}

/** One track of an init segment, and an init segment of that track alone. */
export interface SplitInit {
  track: InitTrack;
  bytes: Uint8Array;
}

/** Takes an init segment apart into one for each track. Empty if it has none that can be read. */
export function splitInit(bytes: Uint8Array): SplitInit[] {
  return Array.from(parseInit(bytes).values(), (track) => ({ track, bytes: only(bytes, track.id) }));
}

/** The tracks of an init segment, by id. Empty if it has none that can be read. */
export function parseInit(bytes: Uint8Array): Map<number, InitTrack> {
  const tracks = new Map<number, InitTrack>();
  guarded(() => {
    const moov = find(view(bytes), "moov");
    if (!moov) return;
    for (const box of boxes(moov)) if (box.type === "trak") addTrack(tracks, box.body);
    const mvex = find(moov, "mvex");
    if (mvex) for (const box of boxes(mvex)) if (box.type === "trex") applyDefaults(tracks, box.body);
  });
  return tracks;
}

/** The samples of one fragment (`moof` and `mdat`), in decode order. Empty if it can't be read. */
export function parseFragment(bytes: Uint8Array, tracks: ReadonlyMap<number, InitTrack>): Sample[] {
  const samples: Sample[] = [];
  guarded(() => {
    const moof = find(view(bytes), "moof");
    if (!moof) return;
    for (const box of boxes(moof)) if (box.type === "traf") addTraf(samples, box.body, tracks);
  });
  return samples;
}

/** The init segment without what belongs to other tracks. */
function only(bytes: Uint8Array, trackId: number): Uint8Array {
  const keep = ({ type, body }: Box): boolean => {
    if (type === "trak") return trackIdOf(body) === trackId;
    return type !== "trex" || body.getUint32(4) === trackId;
  };
  return filtered(view(bytes), keep);
}

/** The boxes that `keep` wants, also those inside `moov` and `mvex`, with their sizes put right. */
function filtered(inside: DataView, keep: (box: Box) => boolean): Uint8Array {
  const parts: Uint8Array[] = [];
  for (const box of boxes(inside)) {
    if (!keep(box)) continue;
    const container = box.type === "moov" || box.type === "mvex";
    const { buffer, byteOffset, byteLength } = box.body;
    const body = container ? filtered(box.body, keep) : new Uint8Array(buffer, byteOffset, byteLength);
    const header = new Uint8Array(8);
    new DataView(header.buffer).setUint32(0, 8 + body.byteLength);
    header.set(
      [...box.type].map((char) => char.charCodeAt(0)),
      4,
    );
    parts.push(header, body);
  }
  return concat(parts);
}

function concat(parts: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.byteLength, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.byteLength;
  }
  return whole;
}

function trackIdOf(trak: DataView): number | null {
  const tkhd = find(trak, "tkhd");
  return tkhd === null ? null : tkhd.getUint32(tkhd.getUint8(0) === 1 ? 20 : 12);
}

function addTrack(tracks: Map<number, InitTrack>, trak: DataView): void {
  const id = trackIdOf(trak);
  const mdia = find(trak, "mdia");
  const mdhd = mdia && find(mdia, "mdhd");
  const hdlr = mdia && find(mdia, "hdlr");
  if (id === null || !mdhd || !hdlr) return;
  const timescale = mdhd.getUint32(mdhd.getUint8(0) === 1 ? 20 : 12);
  if (timescale === 0) return;
  const handler = fourcc(hdlr, 8);
  const kind = handler === "vide" ? "video" : handler === "soun" ? "audio" : "other";
  tracks.set(id, { id, kind, timescale, defaultDuration: 0, defaultFlags: 0 });
}

function applyDefaults(tracks: Map<number, InitTrack>, trex: DataView): void {
  const track = tracks.get(trex.getUint32(4));
  if (!track) return;
  track.defaultDuration = trex.getUint32(12);
  track.defaultFlags = trex.getUint32(20);
}

function addTraf(out: Sample[], traf: DataView, tracks: ReadonlyMap<number, InitTrack>): void {
  const tfhd = find(traf, "tfhd");
  const tfdt = find(traf, "tfdt");
  const track = tfhd && tracks.get(tfhd.getUint32(4));
  if (!tfhd || !tfdt || !track) return;

  const has = tfhd.getUint32(0) & 0xffffff;
  let at = 8 + (has & TFHD.baseDataOffset ? 8 : 0) + (has & TFHD.descriptionIndex ? 4 : 0);
  const duration = has & TFHD.duration ? tfhd.getUint32(at) : track.defaultDuration;
  at += (has & TFHD.duration ? 4 : 0) + (has & TFHD.size ? 4 : 0);
  const flags = has & TFHD.flags ? tfhd.getUint32(at) : track.defaultFlags;

  let time = tfdt.getUint8(0) === 1 ? Number(tfdt.getBigUint64(4)) : tfdt.getUint32(4);
  for (const box of boxes(traf)) {
    if (box.type === "trun") time = addTrun(out, box.body, track, time, duration, flags);
  }
}

/** Adds a run's samples and answers the decode time after them, in ticks. */
function addTrun(
  out: Sample[],
  trun: DataView,
  track: InitTrack,
  startTime: number,
  defaultDuration: number,
  defaultFlags: number,
): number {
  const has = trun.getUint32(0) & 0xffffff;
  const count = Math.min(trun.getUint32(4), MAX_SAMPLES);
  let at = 8 + (has & TRUN.dataOffset ? 4 : 0);
  const firstFlags = has & TRUN.firstFlags ? trun.getUint32(at) : defaultFlags;
  at += has & TRUN.firstFlags ? 4 : 0;

  let time = startTime;
  for (let i = 0; i < count; i++) {
    const field = (present: number, absent: number): number => {
      if (!(has & present)) return absent;
      at += 4;
      return trun.getUint32(at - 4);
    };
    const duration = field(TRUN.duration, defaultDuration);
    field(TRUN.size, 0);
    const flags = field(TRUN.flags, i === 0 ? firstFlags : defaultFlags);
    const offset = field(TRUN.offset, 0) | 0; // signed in version 1, and never beyond 2^31 in version 0
    out.push({
      trackId: track.id,
      start: time / track.timescale,
      duration: duration / track.timescale,
      compositionOffset: offset / track.timescale,
      keyframe: (flags & NON_SYNC) === 0,
    });
    time += duration;
  }
  return time;
}

function find(inside: DataView, type: string): DataView | null {
  for (const box of boxes(inside)) if (box.type === type) return box.body;
  return null;
}

function* boxes(inside: DataView): Generator<Box> {
  let at = 0;
  while (at + 8 <= inside.byteLength) {
    let size = inside.getUint32(at);
    let header = 8;
    if (size === 1 && at + 16 <= inside.byteLength) {
      size = Number(inside.getBigUint64(at + 8));
      header = 16;
    } else if (size === 0) {
      size = inside.byteLength - at;
    }
    if (size < header || at + size > inside.byteLength) return;
    const body = new DataView(inside.buffer, inside.byteOffset + at + header, size - header);
    yield { type: fourcc(inside, at + 4), body };
    at += size;
  }
}

function fourcc(from: DataView, at: number): string {
  return String.fromCharCode(
    from.getUint8(at),
    from.getUint8(at + 1),
    from.getUint8(at + 2),
    from.getUint8(at + 3),
  );
}

function view(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** Reading past the end of a short box throws a RangeError: what was read until then is kept. */
function guarded(read: () => void): void {
  try {
    read();
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
  }
}
