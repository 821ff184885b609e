/** The program as whoever runs it sees it: what it prints, how it ends, what it survives. */
import assert from "node:assert/strict";
import { connect } from "node:net";
import { join } from "node:path";
import { test } from "node:test";

import { gstCamera } from "./lib/cameras.mjs";
import { BINARY, configFile, Lunette } from "./lib/lunette.mjs";
import { Child, freePort, run, TESTS } from "./lib/processes.mjs";
import { Viewer } from "./lib/viewer.mjs";
import { until } from "./lib/wait.mjs";

test("without a configuration it serves the demo camera, with picture and sound, through a real RTSP session", { timeout: 40_000 }, async () => {
  const lunette = await Lunette.start({ args: (listen) => ["--listen", listen] });
  // It prints where to look; it may answer before that.
  await lunette.child.says(new RegExp(lunette.http));
  const [stream] = await lunette.streams();
  assert.deepEqual([stream.id, stream.name], ["demo", "Demo camera"]);
  const viewer = new Viewer(lunette.mse("demo"));
  await viewer.frames(50);
  await viewer.frames(50, "audio");
  const { channels: [channel] } = (await lunette.streams())[0];
  assert.deepEqual([channel.state, channel.viewers], ["live", 1]);
  assert.deepEqual(channel.tracks.map((track) => track.codec), ["H.264", "AAC"]);
  await lunette.stop();
});

test("a stop asked for is done within 6 s, ends with status 0, and tells viewers with 1001", { timeout: 40_000 }, async () => {
  const camera = await gstCamera({ files: { cam: "small.mp4" } });
  const lunette = await Lunette.start({ streams: { cam: camera.url() } });
  const viewers = [new Viewer(lunette.mse("cam")), new Viewer(lunette.mse("cam"), { legacy: true })];
  await Promise.all(viewers.map((viewer) => viewer.frames(10)));
  const { code, tookMs } = await lunette.stop();
  assert.equal(code, 0);
  assert.ok(tookMs < 6000, `${tookMs} ms`);
  for (const viewer of viewers) assert.equal((await viewer.ended()).code, 1001);
  assert.doesNotMatch(lunette.log, /panicked/);
});

test("its own demo camera is played by ffmpeg and GStreamer over TCP and UDP, to those who know the password", { timeout: 90_000 }, async () => {
  const port = await freePort();
  const args = ["demo-camera", "--listen", `127.0.0.1:${port}`, "--user", "viewer:s3cret"];
  const camera = new Child(BINARY, args, { name: "demo-camera" });
  const [told] = await camera.says(/rtsp:\/\/\S+/);
  const path = new URL(told.replace("rtsp:", "http:")).pathname.replace(/[^\w/]+$/, "");
  const url = `rtsp://viewer:s3cret@127.0.0.1:${port}${path}`;
  const play = (transport) => run("ffmpeg", ["-hide_banner", "-v", "error", "-rtsp_transport", transport, "-i", url, "-t", "12", "-f", "null", "-"]);
  const complaints = await Promise.all(["tcp", "udp"].map(play));
  assert.deepEqual(complaints.map((text) => text.trim()), ["", ""], "ffmpeg has nothing to complain about");
  await Promise.all(["tcp", "udp"].map((transport) => run(join(TESTS, "e2e/lib/gst_play.py"), [url, transport, 100])));
  await assert.rejects(run("ffprobe", ["-v", "error", url.replace("s3cret", "wrong")]), /401/);
  await camera.stop();
});

test("a wrong key is an error with status 2 that names line, key and what was meant", { timeout: 20_000 }, async () => {
  const path = configFile('[server]\nlisten = "127.0.0.1:0"\n\n[streams.front]\nurl = "rtsp://10.0.0.1/x"\non_demnad = true\n');
  for (const args of [["check", "--config", path], ["--config", path]]) {
    const child = new Child(BINARY, args, { name: "check" });
    const { code } = await child.exited;
    assert.equal(code, 2);
    assert.match(child.output, /lunette\.toml:6/);
    assert.match(child.output, /on_demnad/);
    assert.match(child.output, /on_demand/);
  }
});

test("a port that is taken is an error in words, not a stack trace", { timeout: 20_000 }, async () => {
  const lunette = await Lunette.start({});
  const child = new Child(BINARY, ["--listen", `127.0.0.1:${lunette.port}`], { name: "second" });
  const { code } = await child.exited;
  assert.equal(code, 1);
  assert.match(child.output, new RegExp(String(lunette.port)));
  assert.doesNotMatch(child.output, /panicked|os error.*\n.*at /);
  await lunette.stop();
});

test("clients that connect and say nothing, or rubbish, are let go and cost the others nothing", { timeout: 60_000 }, async () => {
  const camera = await gstCamera({ files: { cam: "small.mp4" } });
  const lunette = await Lunette.start({ streams: { cam: camera.url() } });
  const viewer = new Viewer(lunette.mse("cam"));
  await viewer.frames(5);
  const silent = Array.from({ length: 50 }, () => connect(lunette.port, "127.0.0.1"));
  // A socket that nobody reads never tells of its end.
  for (const socket of silent) socket.on("error", () => {}).resume();
  silent.slice(0, 10).forEach((socket) => socket.write(Buffer.from([0, 255, 13, 10, 1, 2, 3])));
  silent.slice(10, 20).forEach((socket) => socket.write("GET / HTTP/1.1\r\nX: " + "a".repeat(200_000)));
  await until("all 50 are let go", () => silent.every((socket) => socket.closed || socket.readableEnded), 45_000);
  const before = viewer.of("video").length;
  await viewer.frames(before + 10);
  await lunette.stop();
});

test("pages are served with a strict policy, the player to anybody, and unknown paths as a problem", { timeout: 20_000 }, async () => {
  const lunette = await Lunette.start({});
  const page = await fetch(`${lunette.http}/`);
  assert.match(page.headers.get("content-security-policy"), /default-src 'self'/);
  assert.equal(page.headers.get("access-control-allow-origin"), null);
  const player = await fetch(`${lunette.http}/player.js`);
  assert.match(player.headers.get("content-type"), /javascript/);
  assert.equal(player.headers.get("access-control-allow-origin"), "*");
  const unknown = await fetch(`${lunette.http}/api/v1/nonsense`);
  assert.equal(unknown.status, 404);
  assert.match(unknown.headers.get("content-type"), /application\/problem\+json/);
  await lunette.stop();
});
