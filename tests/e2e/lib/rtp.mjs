/** What a receiver made of RTP: the stream that a decoder takes, and whether anything was missing. */
import { spawnSync } from "node:child_process";

const START = Buffer.from([0, 0, 0, 1]);
/** How NAL units lie in packets: RFC 6184 §5.6 and §5.8, RFC 7798 §4.4. */
const LAYOUTS = {
  h264: { kind: (b) => b[0] & 0x1f, header: 1, many: 24, part: 28, restored: (b) => Buffer.from([(b[0] & 0xe0) | (b[1] & 0x1f)]) },
  hevc: {
    kind: (b) => (b[0] >> 1) & 0x3f,
    header: 2,
    many: 48,
    part: 49,
    restored: (b) => Buffer.from([(b[0] & 0x81) | ((b[2] & 0x3f) << 1), b[1]]),
  },
};

/** The packets of one track, as a receiver hands them out. */
export class Track {
  packets = [];

  /** @param {Buffer} packet With its header. */
  take(packet) {
    const extended = packet[0] & 0x10;
    let at = 12 + 4 * (packet[0] & 0x0f);
    if (extended) at += 4 + 4 * packet.readUInt16BE(at + 2);
    this.packets.push({ number: packet.readUInt16BE(2), time: packet.readUInt32BE(4), payload: packet.subarray(at) });
  }

  get payloads() {
    return Buffer.concat(this.packets.map(({ payload }) => payload));
  }

  /** How many packets are missing between the first and the last. */
  get missing() {
    const { packets } = this;
    return packets.slice(1).reduce((sum, { number }, n) => sum + ((number - packets[n].number - 1) & 0xffff), 0);
  }

  /** Seconds of media between the first packet and the last. */
  seconds(clock) {
    return ((this.packets.at(-1).time - this.packets[0].time) >>> 0) / clock;
  }

  /** How far the pictures are apart, in ticks. */
  steps() {
    const times = [...new Set(this.packets.map(({ time }) => time))];
    return times.slice(1).map((time, i) => (time - times[i]) >>> 0);
  }

  /** How many pictures ffmpeg decodes of it, and what it complains of. */
  decoded(codec) {
    const input = Buffer.concat([...this.#units(LAYOUTS[codec])].flatMap((unit) => [START, unit]));
    const args = ["-v", "error", "-f", codec, "-i", "-", "-f", "framehash", "-"];
    const { stdout, stderr } = spawnSync("ffmpeg", args, { input, encoding: "utf8", maxBuffer: 1 << 26 });
    return { pictures: stdout.split("\n").filter((line) => line && !line.startsWith("#")).length, complaints: stderr };
  }

  *#units({ kind, header, many, part, restored }) {
    let parts = [];
    for (const { payload } of this.packets) {
      if (kind(payload) === many) {
        for (let at = header; at < payload.length; at += 2 + payload.readUInt16BE(at)) {
          yield payload.subarray(at + 2, at + 2 + payload.readUInt16BE(at));
        }
      } else if (kind(payload) === part) {
        const flags = payload[header];
        if (flags & 0x80) parts = [restored(payload)];
        parts.push(payload.subarray(header + 1));
        if (flags & 0x40) yield Buffer.concat(parts);
      } else {
        yield payload;
      }
    }
  }
}
