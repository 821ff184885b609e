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

/** Each takes a packet and its channel, and returns the bytes that are written instead. */
export const FAULTS = {
  /** Bytes are overwritten, headers included. */
  corrupt(packet, channel) {
    const bad = Buffer.from(packet);
    if (roll(3) === 0) for (let i = 0; i < 20; i++) bad[roll(bad.length)] = roll(256);
    return interleaved(bad, channel);
  },
  /** Packets are cut short anywhere. */
  truncate(packet, channel) {
    return interleaved(roll(3) === 0 ? packet.subarray(0, roll(packet.length)) : packet, channel);
  },
  /** Random bytes stand between the packets. */
  noise(packet, channel) {
    const good = interleaved(packet, channel);
    return roll(3) === 0 ? Buffer.concat([noise(1 + roll(300)), good]) : good;
  },
  /** Interleaved headers claim lengths that are not true. */
  lengths(packet, channel) {
    return interleaved(packet, channel, roll(10) === 0 ? roll(65536) : packet.length);
  },
  /** Timestamps and sequence numbers leap at random, back and forth. */
  jump(packet, channel) {
    const bad = Buffer.from(packet);
    if (roll(5) === 0) bad.writeUInt16BE(roll(65536), 2);
    if (roll(5) === 0) bad.writeUInt32BE(roll(2 ** 31) * 2, 4);
    return interleaved(bad, channel);
  },
};
