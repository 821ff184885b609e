/** The HTTP side in TLS: real clients over HTTP/2 and WebSocket, certificates that change, proxies in front. */
import assert from "node:assert/strict";
import { X509Certificate } from "node:crypto";
import { copyFileSync, readFileSync, writeFileSync } from "node:fs";
import { connect as connectH2, constants } from "node:http2";
import { connect } from "node:net";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { connect as connectTls } from "node:tls";
import { chromium } from "playwright-core";

import { CHROMIUM_ARGS, Page } from "./lib/browsers.mjs";
import { gstCamera } from "./lib/cameras.mjs";
import { Authority } from "./lib/certificates.mjs";
import { Lunette } from "./lib/lunette.mjs";
import { freePort, run } from "./lib/processes.mjs";
import { Viewer } from "./lib/viewer.mjs";
import { until } from "./lib/wait.mjs";

let authority, files, camera, lunette, redirect, rtsps, silent;

before(async () => {
  [authority, camera] = await Promise.all([Authority.make("Test authority"), gstCamera({ files: { cam: "small.mp4" } })]);
  const signed = await authority.sign("IP:127.0.0.1");
  files = { certificate: join(authority.folder, "served.pem"), key: join(authority.folder, "served.key") };
  copyFileSync(signed.certificate, files.certificate);
  copyFileSync(signed.key, files.key);
  redirect = `127.0.0.1:${await freePort()}`;
  rtsps = await freePort();
  lunette = await Lunette.start({ ca: authority.file, tables: { tls: { ...files, redirect }, rtsp: { listen: `127.0.0.1:${await freePort()}`, tls_listen: `127.0.0.1:${rtsps}` } }, streams: { cam: camera.url() } });
  silent = Array.from({ length: 30 }, () => connect(lunette.port, "127.0.0.1"));
  for (const socket of silent) socket.on("error", () => {}).resume();
  silent.slice(0, 15).forEach((socket) => socket.write(Buffer.from([22, 3, 1, 2, 0])));
});
after(() => lunette?.stop());

const curl = (...args) => run("curl", ["-sS", "--max-time", "20", "--cacert", authority.file, ...args]);

test("curl speaks HTTP/2 and HTTP/1.1 over TLS 1.2 and 1.3, and nothing older", { timeout: 30_000 }, async () => {
  const ask = (...args) => curl("-o", "/dev/null", "-w", "%{http_version} %{http_code}", ...args, `${lunette.http}/`);
  assert.equal(await ask("--http2"), "2 200");
  assert.equal(await ask("--http1.1"), "1.1 200");
  assert.equal(await ask("--tls-max", "1.2"), "2 200");
  const old = new Promise((resolve) => {
    const socket = connectTls({ port: lunette.port, host: "127.0.0.1", ca: readFileSync(authority.file), minVersion: "TLSv1", maxVersion: "TLSv1.1", ciphers: "ALL@SECLEVEL=0" });
    socket.on("secureConnect", () => resolve("connected")).on("error", (error) => resolve(error.code ?? error.message));
  });
  assert.match(await old, /PROTOCOL_VERSION|UNSUPPORTED|ALERT/i);
});

test("plain HTTP is sent to https://, and on the TLS port it is told what is wrong", { timeout: 20_000 }, async () => {
  const answer = await fetch(`http://${redirect}/stream/cam/state?x=1`, { redirect: "manual" });
  assert.equal(answer.status, 308);
  assert.equal(answer.headers.get("location"), `${lunette.http}/stream/cam/state?x=1`);
  const plain = await fetch(`http://127.0.0.1:${lunette.port}/`);
  assert.equal(plain.status, 400);
  assert.match(await plain.text(), /https:\/\//);
});

test("a viewer on wss:// gets picture, and ffmpeg plays LL-HLS over TLS", { timeout: 60_000 }, async () => {
  const viewer = new Viewer(lunette.mse("cam"), { options: { ca: readFileSync(authority.file) } });
  await viewer.frames(25);
  viewer.close();
  const playlist = `${lunette.http}/stream/cam/hls/live/index.m3u8`;
  const played = await run("ffmpeg", ["-hide_banner", "-v", "error", "-ca_file", authority.file, "-tls_verify", "1", "-i", playlist, "-t", "3", "-f", "null", "-"]);
  assert.equal(played.trim(), "");
});

test("RTSP in TLS shows the same certificate, and plays", { timeout: 30_000 }, async () => {
  const answer = new Promise((resolve, reject) => {
    const socket = connectTls({ port: rtsps, host: "127.0.0.1", ca: readFileSync(authority.file) }, () => socket.write("OPTIONS * RTSP/1.0\r\nCSeq: 1\r\n\r\n"));
    socket.setEncoding("utf8").once("data", (data) => (socket.end(), resolve(data))).on("error", reject);
  });
  assert.match(await answer, /^RTSP\/1.0 200 OK\r\n/);
  const played = await run("ffmpeg", ["-hide_banner", "-v", "error", "-analyzeduration", "500000", "-i", `rtsps://127.0.0.1:${rtsps}/cam`, "-frames:v", "10", "-f", "framecrc", "-"]);
  assert.equal(played.match(/^0,/gm).length, 10);
});

test("requests that wait for LL-HLS share one HTTP/2 connection with others, and are answered as soon as there is something", { timeout: 30_000 }, async () => {
  const client = connectH2(lunette.http, { ca: readFileSync(authority.file) });
  const get = (path) => new Promise((resolve, reject) => {
    const stream = client.request({ ":path": path });
    let [status, body] = [0, ""];
    stream.on("response", (headers) => (status = headers[":status"])).setEncoding("utf8");
    stream.on("data", (chunk) => (body += chunk)).on("error", reject).on("end", () => resolve({ status, body }));
  });
  const media = "/stream/cam/channel/0/hlsll/live/media.m3u8";
  await get("/stream/cam/channel/0/hlsll/live/index.m3u8");
  const next = (body) => {
    const first = Number(/MEDIA-SEQUENCE:(\d+)/.exec(body)[1]);
    return first + body.match(/#EXTINF/g).length;
  };
  let playlist = (await get(media)).body;
  for (let i = 0; i < 3; i++) {
    const waiting = get(`${media}?_HLS_msn=${next(playlist)}`);
    assert.equal((await get("/healthz")).status, 200, "not held up by the one that waits");
    const { status, body } = await waiting;
    assert.equal(status, 200);
    assert.ok(next(body) > next(playlist));
    playlist = body;
  }
  client.close();
});

test("Chromium plays by MSE over wss:// and by hls.js over HTTP/2, and fetches over h2", { timeout: 60_000 }, async () => {
  const key = new X509Certificate(readFileSync(files.certificate)).publicKey.export({ type: "spki", format: "der" });
  const pin = Buffer.from(await crypto.subtle.digest("SHA-256", key)).toString("base64");
  const browser = await chromium.launch({
    executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium", headless: true,
    args: [...CHROMIUM_ARGS, `--ignore-certificate-errors-spki-list=${pin}`],
  });
  try {
    const page = await Page.open(browser, lunette);
    const protocol = await page.tab.evaluate(`fetch("/healthz").then((r) => r.text()).then(() => performance.getEntriesByName(location.origin + "/healthz")[0].nextHopProtocol)`);
    assert.equal(protocol, "h2");
    for (const modes of ["mse", "hls"]) {
      const player = await page.play("cam", { modes });
      await player.pictures(25);
      const { stats } = await player.report();
      assert.equal(stats.mode, modes);
      await page.tab.evaluate("document.body.replaceChildren(); undefined");
    }
  } finally {
    await browser.close();
  }
});

test("a changed certificate is taken without a restart, a bad one is not, and says so", { timeout: 60_000 }, async () => {
  const shown = () => new Promise((resolve, reject) => {
    const socket = connectTls({ port: lunette.port, host: "127.0.0.1", rejectUnauthorized: false }, () => {
      resolve(socket.getPeerX509Certificate().fingerprint256);
      socket.destroy();
    });
    socket.on("error", reject);
  });
  const viewer = new Viewer(lunette.mse("cam"), { options: { ca: readFileSync(authority.file) } });
  await viewer.frames(5);
  const before = await shown();
  writeFileSync(files.certificate, "no certificate at all");
  await until("the log tells of the bad certificate", () => /certificate changed and is no good/.test(lunette.log), 30_000);
  assert.equal(await shown(), before);
  const next = await authority.sign("DNS:localhost,IP:127.0.0.1");
  copyFileSync(next.certificate, files.certificate);
  copyFileSync(next.key, files.key);
  await until("the new certificate is shown", async () => (await shown()) !== before, 30_000);
  const seen = viewer.of("video").length;
  await viewer.frames(seen + 5);
  assert.ok(!viewer.closed, "who was connected stays so");
  viewer.close();
});

test("a client that opens and resets HTTP/2 streams as fast as it can is cut off, and the others notice nothing", { timeout: 30_000 }, async () => {
  const viewer = new Viewer(lunette.mse("cam"), { options: { ca: readFileSync(authority.file) } });
  await viewer.frames(5);
  const socket = connectTls({ port: lunette.port, host: "127.0.0.1", ca: readFileSync(authority.file), ALPNProtocols: ["h2"] });
  let received = Buffer.alloc(0);
  socket.on("data", (chunk) => (received = Buffer.concat([received, chunk]))).on("error", () => {});
  await new Promise((resolve) => socket.once("secureConnect", resolve));
  const frame = (type, flags, stream, payload) => {
    const head = Buffer.alloc(9);
    head.writeUIntBE(payload.length, 0, 3);
    head.writeUInt8(type, 3);
    head.writeUInt8(flags, 4);
    head.writeUInt32BE(stream, 5);
    return Buffer.concat([head, payload]);
  };
  // GET https://a/api/v1/streams, in HPACK's static table and literals.
  const path = "/api/v1/streams";
  const request = Buffer.concat([Buffer.from([0x82, 0x87, 0x41, 1]), Buffer.from("a"), Buffer.from([0x04, path.length]), Buffer.from(path)]);
  socket.write(Buffer.concat([Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), frame(4, 0, 0, Buffer.alloc(0))]));
  const cancel = Buffer.from([0, 0, 0, constants.NGHTTP2_CANCEL]);
  for (let id = 1; id < 20_000 && !socket.destroyed; id += 2) socket.write(Buffer.concat([frame(1, 5, id, request), frame(3, 0, id, cancel)]));
  const goaway = () => {
    for (let at = 0; at + 9 <= received.length; at += 9 + received.readUIntBE(at, 3)) {
      if (received[at + 3] === 7 && at + 17 <= received.length) return { code: received.readUInt32BE(at + 13) };
    }
    return socket.closed && { code: "closed" };
  };
  const { code } = await until("the client is cut off", goaway);
  assert.ok([constants.NGHTTP2_ENHANCE_YOUR_CALM, "closed"].includes(code), String(code));
  socket.destroy();
  const seen = viewer.of("video").length;
  await viewer.frames(seen + 10);
  viewer.close();
});

test("handshakes that began and never ended were let go", { timeout: 20_000 }, async () => {
  await until("all are let go", () => silent.every((socket) => socket.closed || socket.readableEnded));
});
