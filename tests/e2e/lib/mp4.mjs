/** A walker of fragmented MP4 (ISO/IEC 14496-12), just deep enough to judge a stream. */

/** The boxes of `data`: `{ type, content }`. Throws at one that does not fit. */
export function* boxes(data) {
  let at = 0;
  while (at < data.length) {
    const size = data.readUInt32BE(at);
    const type = data.toString("latin1", at + 4, at + 8);
    if (size < 8 || at + size > data.length) throw new Error(`box ${type} of ${size} bytes does not fit`);
    yield { type, content: data.subarray(at + 8, at + size) };
    at += size;
  }
}

/** The content of the box at a path such as `moov/trak/mdia`, or undefined. */
export function find(data, path) {
  for (const type of path.split("/")) {
    data = [...boxes(data)].find((box) => box.type === type)?.content;
    if (!data) return undefined;
  }
  return data;
}

export const isInit = (data) => data.toString("latin1", 4, 8) === "ftyp";

/** The tracks of an init segment: id, kind, timescale, sample entry. */
export function initTracks(init) {
  const traks = [...boxes(find(init, "moov"))].filter((box) => box.type === "trak");
  return traks.map(({ content }) => {
    const [tkhd, mdhd, hdlr] = ["tkhd", "mdia/mdhd", "mdia/hdlr"].map((path) => find(content, path));
    const entry = [...boxes(find(content, "mdia/minf/stbl/stsd").subarray(8))][0];
    const video = hdlr.toString("latin1", 8, 12) === "vide";
    return {
      id: tkhd.readUInt32BE(tkhd[0] === 1 ? 20 : 12),
      kind: video ? "video" : "audio",
      timescale: mdhd.readUInt32BE(mdhd[0] === 1 ? 20 : 12),
      entry: entry.type,
      width: video ? entry.content.readUInt16BE(24) : undefined,
      height: video ? entry.content.readUInt16BE(26) : undefined,
    };
  });
}

const NOT_SYNC = 0x10000;

/** One fragment: track, sequence, decode time in ticks, the media, and its samples `{ duration, size, flags, offset, sync }`. */
export function fragment(data) {
  const moof = find(data, "moof");
  const traf = find(moof, "traf");
  const [tfhd, tfdt, trun] = ["tfhd", "tfdt", "trun"].map((type) => find(traf, type));
  const defaults = sampleDefaults(tfhd);
  const samples = trunSamples(trun, defaults);
  const media = find(data, "mdat");
  const total = samples.reduce((sum, sample) => sum + sample.size, 0);
  if (total !== media.length) throw new Error(`samples of ${total} bytes in an mdat of ${media.length}`);
  return {
    track: tfhd.readUInt32BE(4),
    sequence: find(moof, "mfhd").readUInt32BE(4),
    dts: tfdt[0] === 1 ? Number(tfdt.readBigUInt64BE(4)) : tfdt.readUInt32BE(4),
    samples,
    sync: samples[0].sync,
    bytes: data.length,
    media,
  };
}

function sampleDefaults(tfhd) {
  const has = tfhd.readUInt32BE(0);
  const out = {};
  let at = 8;
  for (const [bit, size, name] of [[1, 8], [2, 4], [8, 4, "duration"], [16, 4, "size"], [32, 4, "flags"]]) {
    if (!(has & bit)) continue;
    if (name) out[name] = tfhd.readUInt32BE(at);
    at += size;
  }
  return out;
}

function trunSamples(trun, defaults) {
  const has = trun.readUInt32BE(0);
  const signed = trun[0] === 1;
  let at = 8 + (has & 1 ? 4 : 0);
  let first;
  if (has & 4) first = trun.readUInt32BE((at += 4) - 4);
  return Array.from({ length: trun.readUInt32BE(4) }, (_, i) => {
    const take = (bit, other, read = "readUInt32BE") => (has & bit ? trun[read]((at += 4) - 4) : other);
    const duration = take(0x100, defaults.duration);
    const size = take(0x200, defaults.size);
    const flags = take(0x400, i === 0 && first !== undefined ? first : defaults.flags);
    const offset = take(0x800, 0, signed ? "readInt32BE" : "readUInt32BE");
    return { duration, size, flags, offset, sync: !(flags & NOT_SYNC) };
  });
}
