#!/usr/bin/env node
/**
 * A camera that sends rubbish: RTSP over TCP only, H.264 from a file with access unit delimiters, good for a
 * while, then faulty for a while, for ever.
 *
 *     garbage.mjs --file main.h264 --fault corrupt|truncate|noise|lengths|jump [--good 3] [--bad 2] [--port 0]
 *
 * corrupt   bytes of the RTP packets are overwritten at random, headers included
 * truncate  packets are cut short anywhere
 * noise     random bytes stand between the interleaved packets
 * lengths   interleaved headers claim lengths that are not true
 * jump      timestamps and sequence numbers leap at random, back and forth
 *
 * Prints `ready PORT` when it listens, and `bad` and `good` as each period begins.
 */
import { readFileSync } from "node:fs";
import { createServer } from "node:net";
import { parseArgs } from "node:util";

const { values: options } = parseArgs({
  options: {
    file: { type: "string" },
    fault: { type: "string", default: "corrupt" },
    good: { type: "string", default: "3" },
    bad: { type: "string", default: "2" },
    port: { type: "string", default: "0" },
  },
});

const FPS = 25;
const MTU = 1400;
const NAL = { sps: 7, pps: 8, delimiter: 9 };

/** A reproducible source of rubbish (xorshift32). */
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

/** Groups NAL units into pictures, each begun by a delimiter, which is dropped. */
function pictures(units) {
  const out = [];
  for (const unit of units) {
    if ((unit[0] & 31) === NAL.delimiter) out.push([]);
    else out.at(-1)?.push(unit);
  }
  return out;
}

const units = nalUnits(readFileSync(options.file));
const film = pictures(units);
const parameterSets = [NAL.sps, NAL.pps].map((type) => units.find((u) => (u[0] & 31) === type));

/** RTP payloads of one NAL unit: itself, or FU-A fragments (RFC 6184 section 5.8). */
function* payloads(nal) {
  if (nal.length <= MTU) {
    yield nal;
    return;
  }
  const [indicator, type] = [(nal[0] & 0x60) | 28, nal[0] & 31];
  for (let at = 1; at < nal.length; at += MTU) {
    const first = at === 1 ? 0x80 : 0;
    const last = at + MTU >= nal.length ? 0x40 : 0;
    yield Buffer.concat([Buffer.from([indicator, first | last | type]), nal.subarray(at, at + MTU)]);
  }
}

function rtpPacket(sequence, timestamp, marker, payload) {
  const packet = Buffer.alloc(12 + payload.length);
  packet[0] = 0x80;
  packet[1] = (marker ? 0x80 : 0) | 96;
  packet.writeUInt16BE(sequence & 0xffff, 2);
  packet.writeUInt32BE(timestamp >>> 0, 4);
  packet.writeUInt32BE(0xcafe, 8);
  payload.copy(packet, 12);
  return packet;
}

function interleaved(packet, length = packet.length) {
  return Buffer.concat([Buffer.from([0x24, 0, length >> 8, length & 255]), packet]);
}

function noise(length) {
  return Buffer.from(Array.from({ length }, () => roll(256)));
}

/** What each fault makes of a packet: the bytes that are written instead. */
const FAULTS = {
  corrupt(packet) {
    const bad = Buffer.from(packet);
    if (roll(3) === 0) for (let i = 0; i < 20; i++) bad[roll(bad.length)] = roll(256);
    return interleaved(bad);
  },
  truncate(packet) {
    return interleaved(roll(3) === 0 ? packet.subarray(0, roll(packet.length)) : packet);
  },
  noise(packet) {
    return roll(3) === 0 ? Buffer.concat([noise(1 + roll(300)), interleaved(packet)]) : interleaved(packet);
  },
  lengths(packet) {
    return interleaved(packet, roll(10) === 0 ? roll(65536) : packet.length);
  },
  jump(packet) {
    const bad = Buffer.from(packet);
    if (roll(5) === 0) bad.writeUInt16BE(roll(65536), 2);
    if (roll(5) === 0) bad.writeUInt32BE(roll(2 ** 31) * 2, 4);
    return interleaved(bad);
  },
};
const spoil = FAULTS[options.fault];
if (!spoil) throw new Error(`--fault must be one of ${Object.keys(FAULTS).join(", ")}`);

const [goodMs, badMs] = [Number(options.good) * 1000, Number(options.bad) * 1000];
const began = Date.now();
let wasBad = false;
function isBad() {
  const bad = (Date.now() - began) % (goodMs + badMs) >= goodMs;
  if (bad !== wasBad) console.log(bad ? "bad" : "good");
  wasBad = bad;
  return bad;
}

function sdp() {
  const sprop = parameterSets.map((nal) => nal.toString("base64")).join(",");
  return [
    "v=0", "o=- 1 1 IN IP4 127.0.0.1", "s=rubbish", "c=IN IP4 0.0.0.0", "t=0 0", "a=control:*",
    "m=video 0 RTP/AVP 96", "a=rtpmap:96 H264/90000",
    `a=fmtp:96 packetization-mode=1;sprop-parameter-sets=${sprop}`, "a=control:trackID=0", "",
  ].join("\r\n");
}

/** Plays the film to one client until it goes. */
function play(socket) {
  let [sequence, n] = [0, 0];
  const start = performance.now();
  const timer = setInterval(() => {
    // A client that does not read loses pictures: rubbish must not pile up here.
    while (n * (1000 / FPS) <= performance.now() - start) {
      const picture = film[n % film.length];
      const timestamp = (n * 90000) / FPS;
      n++;
      if (socket.writableLength > 1 << 20) continue;
      picture.forEach((nal, i) => {
        const parts = [...payloads(nal)];
        parts.forEach((part, j) => {
          const marker = i === picture.length - 1 && j === parts.length - 1;
          const packet = rtpPacket(sequence++, timestamp, marker, part);
          socket.write(isBad() ? spoil(packet) : interleaved(packet));
        });
      });
    }
  }, 10);
  socket.on("close", () => clearInterval(timer));
}

const ANSWERS = {
  OPTIONS: () => ["Public: OPTIONS, DESCRIBE, SETUP, PLAY, GET_PARAMETER, TEARDOWN"],
  DESCRIBE: (url) => ["Content-Type: application/sdp", `Content-Base: ${url}/`],
  SETUP: () => ["Transport: RTP/AVP/TCP;unicast;interleaved=0-1", "Session: 1;timeout=60"],
  PLAY: () => ["Session: 1"],
  GET_PARAMETER: () => ["Session: 1"],
  TEARDOWN: () => ["Session: 1"],
};

function answer(socket, request) {
  const [method, url] = request.split(" ");
  const cseq = /cseq: *(\d+)/i.exec(request)?.[1] ?? "0";
  const headers = ANSWERS[method]?.(url);
  if (!headers) return socket.write(`RTSP/1.0 501 Not Implemented\r\nCSeq: ${cseq}\r\n\r\n`);
  const refused = method === "SETUP" && !request.includes("TCP");
  const body = method === "DESCRIBE" ? sdp() : "";
  const status = refused ? "461 Unsupported Transport" : "200 OK";
  const length = body ? [`Content-Length: ${body.length}`] : [];
  socket.write([`RTSP/1.0 ${status}`, `CSeq: ${cseq}`, ...headers, ...length, "", body].join("\r\n"));
  if (method === "PLAY") play(socket);
  if (method === "TEARDOWN") socket.end();
}

const server = createServer((socket) => {
  let pending = Buffer.alloc(0);
  socket.on("error", () => socket.destroy());
  socket.on("data", (data) => {
    pending = Buffer.concat([pending, data]);
    for (;;) {
      // Receiver reports are stepped over.
      if (pending[0] === 0x24 && pending.length >= 4) {
        const length = 4 + pending.readUInt16BE(2);
        if (pending.length < length) return;
        pending = pending.subarray(length);
        continue;
      }
      const end = pending.indexOf("\r\n\r\n");
      if (end < 0) return;
      answer(socket, pending.subarray(0, end).toString("latin1"));
      pending = pending.subarray(end + 4);
    }
  });
});
server.listen(Number(options.port), "127.0.0.1", () => console.log(`ready ${server.address().port}`));
