/** What a camera that sends rubbish makes of its packets. */

/** A reproducible source of rubbish (xorshift32): a number from 0 up to, not including, `below`. */
function dice(seed) {
  let x = seed;
  return (below) => {
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    return (x >>> 0) % below;
  };
}
const roll = dice(0x5eed);

const noise = (length) => Buffer.from(Array.from({ length }, () => roll(256)));

/** A packet between RTSP messages (RFC 2326 section 10.12). `length` may be a lie. */
export function interleaved(packet, channel = 0, length = packet.length) {
  return Buffer.concat([Buffer.from([0x24, channel, length >> 8, length & 255]), packet]);
}

/** How many packets overtake one that is held back. */
const OVERTAKING = 2;
/** Packets that are held back, with how many have overtaken them. */
const heldBack = [];

/** How many packets were made and never sent. */
export const counts = { lost: 0 };

/**
 * Each takes a packet and how packets are put on the wire, `wire(packet, length)`, and returns what is written
 * instead: pieces of the stream, or datagrams. A datagram has no use for `length`.
 */
export const FAULTS = {
  /** Bytes are overwritten, headers included. */
  corrupt(packet, wire) {
    const bad = Buffer.from(packet);
    if (roll(3) === 0) for (let i = 0; i < 20; i++) bad[roll(bad.length)] = roll(256);
    return [wire(bad)];
  },
  /** Packets are cut short anywhere. */
  truncate(packet, wire) {
    return [wire(roll(3) === 0 ? packet.subarray(0, roll(packet.length)) : packet)];
  },
  /** Random bytes stand between the packets. */
  noise(packet, wire) {
    return roll(3) === 0 ? [noise(1 + roll(300)), wire(packet)] : [wire(packet)];
  },
  /** Interleaved headers claim lengths that are not true. */
  lengths(packet, wire) {
    return [wire(packet, roll(10) === 0 ? roll(65536) : packet.length)];
  },
  /** Timestamps and sequence numbers leap at random, back and forth. */
  jump(packet, wire) {
    const bad = Buffer.from(packet);
    if (roll(5) === 0) bad.writeUInt16BE(roll(65536), 2);
    if (roll(5) === 0) bad.writeUInt32BE(roll(2 ** 31) * 2, 4);
    return [wire(bad)];
  },
  /** One packet in thirty is lost. */
  loss(packet, wire) {
    if (roll(30) !== 0) return [wire(packet)];
    counts.lost++;
    return [];
  },
  /** Packets come late, behind others, and some come twice. */
  shuffle(packet, wire) {
    for (const held of heldBack) held.overtaken++;
    if (roll(6) === 0) {
      heldBack.push({ packet, overtaken: 0 });
      return [];
    }
    const due = [];
    while (heldBack[0]?.overtaken >= OVERTAKING) due.push(heldBack.shift().packet);
    const twice = roll(6) === 0 ? [packet] : [];
    return [packet, ...twice, ...due].map((each) => wire(each));
  },
  /** Packets of somebody else stand between: the header is right, sender, numbers and payload are random. */
  forge(packet, wire) {
    if (roll(3) !== 0) return [wire(packet)];
    const forged = noise(12 + roll(1200));
    packet.copy(forged, 0, 0, 2);
    return [wire(forged), wire(packet)];
  },
};
