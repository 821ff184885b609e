/** H.264 from a file to RTP: NAL units, pictures, packets (RFC 6184). */

const MTU = 1400;
const TYPE = { idr: 5, sps: 7, pps: 8, delimiter: 9, stapA: 24, fuA: 28 };

const type = (nal) => nal[0] & 31;

/** Cuts an Annex B stream into NAL units. */
function nalUnits(bytes) {
  const marker = Buffer.from([0, 0, 1]);
  const units = [];
  let start = bytes.indexOf(marker) + 3;
  while (start > 2) {
    const next = bytes.indexOf(marker, start);
    let end = next < 0 ? bytes.length : next;
    while (end > start && bytes[end - 1] === 0) end--;
    units.push(bytes.subarray(start, end));
    start = next + 3;
  }
  return units;
}

/** A film: pictures of NAL units, cut at the delimiters, which are dropped. */
export class Film {
  constructor(bytes) {
    const units = nalUnits(bytes);
    this.sps = units.find((nal) => type(nal) === TYPE.sps);
    this.pps = units.find((nal) => type(nal) === TYPE.pps);
    this.pictures = [];
    for (const nal of units) {
      if (type(nal) === TYPE.delimiter) this.pictures.push([]);
      else this.pictures.at(-1)?.push(nal);
    }
  }

  /** The picture numbered `n` of the endless loop. */
  picture(n) {
    return this.pictures[n % this.pictures.length];
  }

  /** The RTP payloads of a picture; `aggregated` puts its parameter sets into one packet. */
  static payloads(picture, aggregated) {
    const small = (nal) => type(nal) === TYPE.sps || type(nal) === TYPE.pps;
    const sets = aggregated ? picture.filter(small) : [];
    const rest = sets.length > 1 ? picture.filter((nal) => !small(nal)) : picture;
    return [...(sets.length > 1 ? [stapA(sets)] : []), ...rest.flatMap((nal) => [...fragments(nal)])];
  }
}

/** One packet of several NAL units (section 5.7.1). */
function stapA(nals) {
  const parts = nals.flatMap((nal) => [Buffer.from([nal.length >> 8, nal.length & 255]), nal]);
  return Buffer.concat([Buffer.from([0x60 | TYPE.stapA]), ...parts]);
}

/** A NAL unit as it is, or cut into FU-A fragments (section 5.8). */
function* fragments(nal) {
  if (nal.length <= MTU) {
    yield nal;
    return;
  }
  const indicator = (nal[0] & 0x60) | TYPE.fuA;
  for (let at = 1; at < nal.length; at += MTU) {
    const first = at === 1 ? 0x80 : 0;
    const last = at + MTU >= nal.length ? 0x40 : 0;
    yield Buffer.concat([Buffer.from([indicator, first | last | type(nal)]), nal.subarray(at, at + MTU)]);
  }
}

/**
 * An RTP packet (RFC 3550 section 5.1). `ornate` adds what few senders use and every receiver must step over: a
 * contributing source, a header extension, and padding.
 */
export function rtpPacket({ sequence, timestamp, marker, payload, type = 96, ornate = false }) {
  const header = Buffer.alloc(12);
  header[0] = 0x80 | (ornate ? 0x20 | 0x10 | 1 : 0);
  header[1] = (marker ? 0x80 : 0) | type;
  header.writeUInt16BE(sequence % 2 ** 16, 2);
  header.writeUInt32BE(timestamp % 2 ** 32, 4);
  header.writeUInt32BE(0xcafe, 8);
  if (!ornate) return Buffer.concat([header, payload]);
  const extras = Buffer.from([0, 0, 0, 7, 0xbe, 0xde, 0, 1, 0x10, 1, 0, 0]);
  return Buffer.concat([header, extras, payload, Buffer.from([0, 0, 0, 4])]);
}
