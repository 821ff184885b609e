#!/usr/bin/env node
/**
 * A camera that is a script: RTSP over TCP and UDP, H.264 from a file with access unit delimiters.
 *
 *     scripted.mjs --file main.h264 --sound tone.alaw [--port 0] [--fault noise --good 3 --bad 2]
 *
 * The path of the URL is a list of oddities, such as rtsp://127.0.0.1:PORT/wrap+stap; see ODDITIES. With --fault
 * (see lib/faults.mjs) it is good for a while, then sends rubbish for a while, for ever.
 *
 * Prints `ready PORT` when it listens, and as each period begins `bad`, or `good lost N` with how many packets were
 * made and never sent so far.
 */
import { createSocket } from "node:dgram";
import { readFileSync } from "node:fs";
import { createServer } from "node:net";
import { parseArgs } from "node:util";

import { counts, FAULTS, interleaved } from "./lib/faults.mjs";
import { Film, rtpPacket } from "./lib/film.mjs";

const { values: options } = parseArgs({
  options: {
    file: { type: "string" },
    sound: { type: "string" },
    fault: { type: "string" },
    good: { type: "string", default: "3" },
    bad: { type: "string", default: "2" },
    port: { type: "string", default: "0" },
  },
});

const FPS = 25;
const CLOCK = 90_000;
/** G.711 A-law: a packet every 20 ms. */
const SOUND = { everyMs: 20, bytes: 160, type: 8 };
/** When the picture of `standstill` stops, in ms. */
const STANDSTILL_MS = 25_000;
/** What a client that does not read may have pending before it loses pictures. */
const MAX_PENDING = 1 << 20;

/** What a camera may do that is odd and legal, or illegal and met. */
const ODDITIES = {
  plain: "nothing odd",
  nosprop: "no parameter sets in the description: they come with the first key frame",
  wrap: "RTP timestamps and sequence numbers wrap three seconds after the start",
  stap: "parameter sets share one packet",
  ornate: "contributing sources, header extensions and padding",
  twice: "every packet is sent twice",
  nomarker: "the marker bit is never set",
  still: "the RTP timestamp never changes",
  lf: "lines end in LF alone, header names are in lower case",
  absolute: "an absolute control URL, and no Content-Base",
  channels: "other interleaved channels than asked for",
  early: "pictures come before the answer to PLAY",
  mute: "PLAY is never answered, pictures come",
  redirect: "DESCRIBE is redirected",
  asks: "the camera sends requests of its own",
  timeout: "a session that hears nothing for 4 s is ended",
  hangup: "the connection is closed after 5 s",
  nosession: "the answers carry no Session header",
  sound: "a second track over TCP, G.711",
  unheard: "a second track is announced and set up, and nothing comes on it",
  standstill: "the picture stops after 25 s, its sound goes on",
  metadata: "an ONVIF metadata track stands before the video",
};

const film = new Film(readFileSync(options.file));
const sound = readFileSync(options.sound);
const spoil = options.fault ? FAULTS[options.fault] : undefined;
if (options.fault && !spoil) throw new Error(`--fault must be one of ${Object.keys(FAULTS).join(", ")}`);

const began = Date.now();
let wasBad = false;
/** Whether rubbish is due. */
function isBad() {
  const [good, bad] = [Number(options.good) * 1000, Number(options.bad) * 1000];
  const due = Boolean(spoil) && (Date.now() - began) % (good + bad) >= good;
  if (due !== wasBad) console.log(due ? "bad" : `good lost ${counts.lost}`);
  wasBad = due;
  return due;
}

/** One RTSP connection. */
class Session {
  pending = Buffer.alloc(0);
  heard = Date.now();
  asked = 0;

  constructor(socket) {
    this.socket = socket;
    socket.on("error", () => socket.destroy());
    socket.on("close", () => {
      clearInterval(this.timer);
      this.datagrams?.close();
    });
    socket.on("data", (data) => this.read(data));
  }

  read(data) {
    this.pending = Buffer.concat([this.pending, data]);
    for (;;) {
      // Receiver reports are stepped over.
      const report = this.pending[0] === 0x24;
      if (report && this.pending.length < 4) return;
      const end = report ? 4 + this.pending.readUInt16BE(2) : this.pending.indexOf("\r\n\r\n") + 4;
      if (end < 4 || this.pending.length < end) return;
      const message = this.pending.subarray(0, end).toString("latin1");
      this.pending = this.pending.subarray(end);
      if (!report && !message.startsWith("RTSP/")) this.request(message);
    }
  }

  request(message) {
    const [method, url] = message.split(" ");
    this.heard = Date.now();
    this.cseq = /cseq: *(\d+)/i.exec(message)?.[1] ?? "0";
    this.odd ??= new Set(new URL(url.replace("rtsp:", "http:")).pathname.split("/")[1].split("+"));
    const handler = this[`on${method}`];
    if (handler) handler.call(this, url, message);
    else this.answer("501 Not Implemented");
  }

  answer(status, headers = [], body = "") {
    const session = this.odd.has("nosession") ? [] : [`Session: 1;timeout=${this.odd.has("timeout") ? 4 : 60}`];
    const lines = [`RTSP/1.0 ${status}`, `CSeq: ${this.cseq}`, ...session, ...headers];
    if (body) lines.push(`Content-Length: ${body.length}`);
    const lower = (line, i) => (i ? line.replace(/^[^:]+/, (name) => name.toLowerCase()) : line);
    const text = this.odd.has("lf") ? [...lines.map(lower), "", body].join("\n") : [...lines, "", body].join("\r\n");
    this.socket.write(text);
  }

  onOPTIONS() {
    this.answer("200 OK", ["Public: OPTIONS, DESCRIBE, SETUP, PLAY, GET_PARAMETER, TEARDOWN"]);
  }

  onDESCRIBE(url) {
    if (this.odd.has("redirect") && !url.endsWith("/moved")) {
      return this.answer("302 Moved Temporarily", [`Location: ${url.replace(/\/+$/, "")}/moved`]);
    }
    const base = this.odd.has("absolute") ? [] : [`Content-Base: ${url.replace(/\/*$/, "/")}`];
    return this.answer("200 OK", ["Content-Type: application/sdp", ...base], this.description(url));
  }

  description(url) {
    const sprop = `;sprop-parameter-sets=${film.sps.toString("base64")},${film.pps.toString("base64")}`;
    const control = this.odd.has("absolute") ? `${url}/trackID=0` : "trackID=0";
    const sound = ["m=audio 0 RTP/AVP 8", "a=control:trackID=1"];
    const metadata = ["m=application 0 RTP/AVP 107", "a=rtpmap:107 vnd.onvif.metadata/90000", "a=control:trackID=9"];
    return [
      "v=0", "o=- 1 1 IN IP4 127.0.0.1", "s=script", "c=IN IP4 0.0.0.0", "t=0 0", "a=control:*",
      ...(this.odd.has("metadata") ? metadata : []),
      "m=video 0 RTP/AVP 96", "a=rtpmap:96 H264/90000",
      `a=fmtp:96 packetization-mode=1${this.odd.has("nosprop") ? "" : sprop}`, `a=control:${control}`,
      ...(this.hasSound ? sound : []), "",
    ].join(this.odd.has("lf") ? "\n" : "\r\n");
  }

  get hasSound() {
    return ["sound", "unheard", "standstill"].some((name) => this.odd.has(name));
  }

  onSETUP(url, message) {
    if (!/trackID=[019]$/.test(url)) return this.answer("404 Not Found");
    const ports = /client_port=(\d+)-\d+/.exec(message);
    if (ports) return this.setUpDatagrams(Number(ports[1]));
    const channel = this.odd.has("channels") ? 4 : Number(/interleaved=(\d+)/.exec(message)?.[1] ?? 0);
    const channels = `${channel}-${channel + 1}`;
    if (url.endsWith("1")) this.soundChannel = channel;
    else this.channel = channel;
    return this.answer("200 OK", [`Transport: RTP/AVP/TCP;unicast;interleaved=${channels}`]);
  }

  /** RTP goes from a port of ours; the one above it, for RTCP, is nobody's. */
  setUpDatagrams(port) {
    this.datagrams = createSocket("udp4").on("error", () => {});
    this.datagrams.on("message", () => {});
    this.datagrams.bind(0, "127.0.0.1", () => {
      const own = this.datagrams.address().port;
      this.datagrams.connect(port, "127.0.0.1");
      this.answer("200 OK", [`Transport: RTP/AVP;unicast;client_port=${port}-${port + 1};server_port=${own}-${own + 1}`]);
    });
  }

  onPLAY() {
    if (this.odd.has("early")) setTimeout(() => this.answer("200 OK"), 800);
    else if (!this.odd.has("mute")) this.answer("200 OK");
    this.play();
  }

  onGET_PARAMETER() {
    this.answer("200 OK");
  }

  onTEARDOWN() {
    console.log("teardown");
    this.answer("200 OK");
    this.socket.end();
  }

  /** Sends what is due every few ms, until the client goes. */
  play() {
    this.start = performance.now();
    [this.n, this.sounds, this.sequence] = [0, 0, this.odd.has("wrap") ? 65_400 : 0];
    clearInterval(this.timer);
    this.timer = setInterval(() => {
      const played = performance.now() - this.start;
      const shown = this.odd.has("standstill") ? Math.min(played, STANDSTILL_MS) : played;
      while (this.n * (1000 / FPS) <= shown) this.send(this.n++);
      const hums = this.soundChannel !== undefined && !this.odd.has("unheard");
      while (hums && this.sounds * SOUND.everyMs <= played) this.hum(this.sounds++);
      this.misbehave();
    }, 10);
  }

  send(n) {
    if (this.socket.writableLength > MAX_PENDING) return;
    const first = this.odd.has("wrap") ? 2 ** 32 - 3 * CLOCK : 0;
    const timestamp = this.odd.has("still") ? 0 : first + (n * CLOCK) / FPS;
    const payloads = Film.payloads(film.picture(n), this.odd.has("stap"));
    payloads.forEach((payload, i) => {
      const marker = i === payloads.length - 1 && !this.odd.has("nomarker");
      const packet = rtpPacket({ sequence: this.sequence++, timestamp, marker, payload, ornate: this.odd.has("ornate") });
      const pieces = isBad() ? spoil(packet, this.wire) : [this.wire(packet)];
      for (const piece of this.odd.has("twice") ? pieces.flatMap((piece) => [piece, piece]) : pieces) this.write(piece);
    });
  }

  hum(n) {
    const at = (n * SOUND.bytes) % (sound.length - SOUND.bytes);
    const packet = rtpPacket({ sequence: n, timestamp: n * SOUND.bytes, payload: sound.subarray(at, at + SOUND.bytes), type: SOUND.type });
    this.socket.write(interleaved(packet, this.soundChannel));
  }

  /** How a packet is put on the wire; `length` may be a lie. */
  wire = (packet, length) => (this.datagrams ? packet : interleaved(packet, this.channel, length));

  write(piece) {
    if (this.datagrams) this.datagrams.send(piece, () => {});
    else this.socket.write(piece);
  }

  misbehave() {
    const played = performance.now() - this.start;
    if (this.odd.has("hangup") && played > 5000) this.socket.destroy();
    if (this.odd.has("timeout") && Date.now() - this.heard > 4000) this.socket.destroy();
    if (this.odd.has("asks") && played > this.asked * 1000) {
      this.socket.write(`OPTIONS * RTSP/1.0\r\nCSeq: ${900 + this.asked++}\r\n\r\n`);
    }
  }
}

if (!options.file) throw new Error(`usage: scripted.mjs --file main.h264; paths: ${JSON.stringify(ODDITIES, null, 2)}`);
const server = createServer((socket) => new Session(socket));
server.listen(Number(options.port), "127.0.0.1", () => console.log(`ready ${server.address().port}`));
