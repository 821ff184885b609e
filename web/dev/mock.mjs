// A stand-in for the server: one camera made by ffmpeg, `lunette.v1` as docs/mse.md has it, and faults on
// demand. `npm run mock`, then `npm run dev`; or open http://127.0.0.1:8099/ for what `npm run build` made.
//
//   curl -X POST 'http://127.0.0.1:8099/mock/offline'         the camera goes away ...
//   curl -X POST 'http://127.0.0.1:8099/mock/online'          ... and comes back
//   .../mock/silence?on=1     nothing is sent any more to those who watch now
//   .../mock/blackhole?on=1   nothing is sent to anybody
//   .../mock/freeze?on=1      the camera sends nothing until on=0, when all comes at once
//   .../mock/close?code=1011  all viewers' sockets are closed
//   .../mock/burst?ms=400     frames come in bursts (0: evenly)
//   .../mock/size?w=640&h=360 the camera changes its resolution
//   .../mock/garbage          a fragment full of nonsense
//   .../mock/mute?on=1        sound is announced and not sent
//
// The first row of pixels carries the wall clock in 40 black or white blocks: 32 bits of ms, 8 of checksum.

import { spawn } from "node:child_process";
import { createReadStream, existsSync } from "node:fs";
import { createServer } from "node:http";
import { extname, join, normalize } from "node:path";
import { WebSocketServer } from "ws";

const PORT = Number(process.env.PORT ?? 8099);
const GOP = Number(process.env.GOP ?? 250);
const SOUND = process.env.SOUND !== "0";
const FPS = Number(process.env.FPS ?? 25);
const DIST = new URL("../dist", import.meta.url).pathname;
const CSP =
  "default-src 'self'; style-src 'self'; img-src 'self' data: blob:; media-src 'self' blob:; connect-src 'self' ws: wss:";
const TYPES = { ".html": "text/html", ".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml" };

/** Splits ffmpeg's output into an init segment and fragments, and puts them on one time line for ever. */
class Camera {
  constructor(listener) {
    this.listener = listener;
    this.size = { w: 960, h: 540 };
    this.end = new Map([
      [1, 1000],
      [2, 1000],
    ]); // seconds; not zero, as for a viewer that joins later
    this.start();
  }

  start() {
    const { w, h } = this.size;
    this.pending = Buffer.alloc(0);
    this.init = Buffer.alloc(0);
    this.base = Math.max(...this.end.values());
    const args = `-loglevel error -f rawvideo -pix_fmt gray -s ${w}x${h} -r ${FPS} -i pipe:0
      ${SOUND ? "-f lavfi -i sine=frequency=330:beep_factor=4:sample_rate=48000 -c:a aac -b:a 64k" : ""}
      -c:v libx264 -preset ultrafast -tune zerolatency -threads 1 -g ${GOP} -pix_fmt yuv420p
      -flush_packets 1 -f mp4 -movflags frag_every_frame+empty_moov+default_base_moof pipe:1`;
    this.ffmpeg = spawn("ffmpeg", args.split(/\s+/), { stdio: ["pipe", "pipe", "inherit"] });
    const mine = this.ffmpeg;
    mine.stdin.on("error", () => undefined);
    mine.stdout.on("data", (data) => mine === this.ffmpeg && this.feed(data));
    let frames = 0;
    const began = Date.now();
    this.clock = setInterval(() => {
      for (; frames < ((Date.now() - began) * FPS) / 1000; frames++) mine.stdin.write(picture(w, h, frames));
    }, 5);
  }

  stop() {
    clearInterval(this.clock);
    this.ffmpeg?.kill("SIGKILL");
    this.ffmpeg = null;
  }

  feed(data) {
    this.pending = Buffer.concat([this.pending, data]);
    while (this.pending.length >= 8 && this.pending.length >= this.pending.readUInt32BE(0)) {
      const box = this.pending.subarray(0, this.pending.readUInt32BE(0));
      this.pending = this.pending.subarray(box.length);
      this.box(box.toString("latin1", 4, 8), box);
    }
  }

  box(type, box) {
    if (type === "ftyp") this.init = Buffer.from(box);
    else if (type === "moov") {
      this.init = Buffer.concat([this.init, box]);
      this.listener.init(this.init, this.size);
    } else if (type === "moof") this.moof = Buffer.from(box);
    else if (type === "mdat") this.fragment(Buffer.concat([this.moof, box]));
  }

  fragment(bytes) {
    const field = (name) => bytes.indexOf(name, 0, "latin1");
    const track = bytes.readUInt32BE(field("tfhd") + 8);
    const scale = track === 1 ? FPS * 512 : 48000;
    const at = field("tfdt") + 8; // version 1
    const time = bytes.readBigUInt64BE(at) + BigInt(Math.round(this.base * scale));
    bytes.writeBigUInt64BE(time, at);
    this.end.set(track, Number(time) / scale + 1 / FPS);
    // An IDR slice, or SEI and parameter sets before one, is the first NAL unit that isn't a plain slice.
    const keyframe = track === 1 && (bytes[field("mdat") + 8] & 31) !== 1;
    this.listener.fragment({ bytes, track, keyframe });
  }
}

function picture(w, h, n) {
  const frame = Buffer.alloc(w * h, 48);
  const ms = Date.now() % 2 ** 32;
  const sum = ((ms & 255) + ((ms >>> 8) & 255) + ((ms >>> 16) & 255) + ((ms >>> 24) & 255) + 90) & 255;
  const block = Math.floor(w / 40);
  for (let i = 0; i < 40; i++) {
    const bit = i < 32 ? (ms >>> (31 - i)) & 1 : (sum >>> (39 - i)) & 1;
    for (let y = 0; y < block; y++) frame.fill(bit ? 235 : 16, y * w + i * block, y * w + (i + 1) * block);
  }
  const x = (n * 6) % (w - 80);
  for (let y = h >> 1; y < (h >> 1) + 80; y++) frame.fill(220, y * w + x, y * w + x + 80);
  return frame;
}

const viewers = new Set();
const faults = { blackhole: false, freeze: false, mute: false, burst: 0, offline: false };
const held = [];
let init = null;
let tracks = "";
let gop = [];

const camera = new Camera({
  init(bytes, { w, h }) {
    init = bytes;
    gop = [];
    tracks = JSON.stringify({
      type: "tracks",
      mime: 'video/mp4; codecs="avc1.42c01f,mp4a.40.2"',
      tracks: [
        { kind: "video", codec: "avc1.42c01f", name: "H.264", width: w, height: h },
        ...(SOUND ? [{ kind: "audio", codec: "mp4a.40.2", name: "AAC" }] : []),
      ],
      left_out: [],
    });
    for (const viewer of viewers) viewer.ready = false;
  },
  fragment(item) {
    if (faults.mute && item.track === 2) return;
    if (faults.freeze || faults.burst > 0) held.push(item);
    else publish(item);
  },
});
// Frames that are held for a burst, released together.
let releasedAt = 0;
setInterval(() => {
  if (faults.freeze || Date.now() - releasedAt < faults.burst) return;
  releasedAt = Date.now();
  for (const item of held.splice(0)) publish(item);
}, 5).unref();

function publish(item) {
  if (item.keyframe) gop = [];
  gop.push(item);
  for (const viewer of viewers) viewer.offer(item);
}

class Viewer {
  constructor(socket) {
    this.socket = socket;
    this.ready = false;
    this.muffled = false;
    socket.once("message", () => {
      if (faults.blackhole) return;
      viewers.add(this);
      this.tell(faults.offline ? OFFLINE : { type: "state", state: "live" });
      this.join();
    });
    socket.on("close", () => viewers.delete(this));
  }

  tell(message) {
    if (!this.muffled && !faults.blackhole) this.socket.send(JSON.stringify(message));
  }

  join() {
    if (!init || !gop[0]?.keyframe || faults.offline) return;
    this.ready = true;
    this.socket.send(tracks);
    this.socket.send(init);
    for (const { bytes } of gop) this.socket.send(bytes);
  }

  offer(item) {
    if (this.muffled || faults.blackhole) return;
    if (!this.ready) {
      if (item.keyframe) this.join();
      return;
    }
    this.socket.send(item.bytes);
  }
}

const OFFLINE = {
  type: "state",
  state: "offline",
  reason: "unauthorized",
  message: "The camera refuses this <b>user name</b> or password",
  retry_in_ms: 4000,
};

const ACTIONS = {
  offline() {
    faults.offline = true;
    camera.stop();
    for (const viewer of viewers) viewer.tell(OFFLINE);
  },
  online() {
    faults.offline = false;
    camera.start();
    for (const viewer of viewers) viewer.tell({ type: "state", state: "live" });
  },
  silence(query) {
    for (const viewer of viewers) viewer.muffled = query.get("on") === "1";
  },
  blackhole: (query) => flag("blackhole", query),
  freeze: (query) => flag("freeze", query),
  mute: (query) => flag("mute", query),
  close(query) {
    for (const viewer of viewers) viewer.socket.close(Number(query.get("code") ?? 1011), "asked for");
  },
  burst(query) {
    faults.burst = Number(query.get("ms") ?? 0);
  },
  size(query) {
    camera.stop();
    camera.size = { w: Number(query.get("w")), h: Number(query.get("h")) };
    camera.start();
  },
  garbage() {
    for (const viewer of viewers) viewer.socket.send(Buffer.alloc(5000, 0x55));
  },
};

function flag(name, query) {
  faults[name] = query.get("on") === "1";
}

const server = createServer((request, response) => {
  const url = new URL(request.url, "http://mock");
  const [, first, second] = url.pathname.split("/");
  if (first === "mock" && ACTIONS[second]) {
    ACTIONS[second](url.searchParams);
    response.writeHead(204).end();
  } else if (url.pathname === "/api/v1/streams") {
    response
      .writeHead(200, { "content-type": "application/json" })
      .end(JSON.stringify({ streams: streams() }));
  } else if (/^\/stream\/demo(\/channel\/0)?\/state$/.test(url.pathname)) {
    response
      .writeHead(200, { "content-type": "application/json", "access-control-allow-origin": "*" })
      .end(JSON.stringify(faults.offline ? OFFLINE : { type: "state", state: "live" }));
  } else {
    serveFile(url.pathname === "/" ? "/index.html" : url.pathname, response);
  }
});

function streams() {
  const { w: width, h: height } = camera.size;
  const channel = {
    id: "0",
    state: faults.offline ? "backoff" : "live",
    reason: faults.offline ? OFFLINE.reason : null,
    message: faults.offline ? OFFLINE.message : null,
    viewers: viewers.size,
    tracks: [
      { kind: "video", codec: "H.264", width, height },
      { kind: "audio", codec: "AAC" },
    ],
  };
  return [{ id: "demo", name: "Demo <camera>", channels: [channel] }];
}

function serveFile(path, response) {
  const file = join(DIST, normalize(path));
  if (!file.startsWith(DIST) || !existsSync(file)) {
    response.writeHead(404, { "content-type": "application/problem+json" }).end('{"title":"Not found"}');
    return;
  }
  const type = TYPES[extname(file)] ?? "application/octet-stream";
  response.writeHead(200, {
    "content-type": type,
    "content-security-policy": CSP,
    "access-control-allow-origin": "*",
  });
  createReadStream(file).pipe(response);
}

const sockets = new WebSocketServer({ noServer: true, handleProtocols: () => "lunette.v1" });
server.on("upgrade", (request, socket, head) => {
  if (!/^\/stream\/demo(\/channel\/0)?\/mse$/.test(new URL(request.url, "http://mock").pathname)) {
    socket.end("HTTP/1.1 404 Not Found\r\nConnection: close\r\n\r\n");
    return;
  }
  sockets.handleUpgrade(request, socket, head, (ws) => new Viewer(ws));
});
server.listen(PORT, "127.0.0.1", () => console.log(`http://127.0.0.1:${PORT}/`));
for (const signal of ["SIGINT", "SIGTERM"]) {
  process.on(signal, () => {
    camera.stop();
    process.exit(0);
  });
}
