/** RTSP out: what is promised in docs/rtsp.md, with players that nobody here wrote. */
import assert from "node:assert/strict";
import { existsSync, mkdirSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";

import { clip, gstCamera } from "./lib/cameras.mjs";
import { BINARY, Lunette } from "./lib/lunette.mjs";
import { Child, freePort, run, TESTS, WORK } from "./lib/processes.mjs";
import { Reel } from "./lib/reel.mjs";
import { Viewer } from "./lib/viewer.mjs";
import { until } from "./lib/wait.mjs";

const GST = join(TESTS, "e2e/lib/gst_play.py");
const FILES = { main: "main.mp4+tone.m4a", kicked: "small.mp4", hevc: "h265.mp4+tone.alaw", bframes: "high_bframes.mp4+tone.ogg", mulaw: "small.mp4+tone.mulaw", g722: "small.mp4+tone.g722", l16: "small.mp4+tone.l16" };
const PICTURES = 75;
/** Half a second of it loses nothing that is looked at, and spares the analysis of five. */
const QUICK = ["-analyzeduration", "500000"];

describe("RTSP out", { concurrency: 4 }, () => {
  let camera, lunette, port, reel;

  before(async () => {
    camera = await gstCamera({ files: FILES });
    port = await freePort();
    const streams = Object.fromEntries(Object.keys(FILES).map((id) => [id, camera.url(id)]));
    lunette = await Lunette.start({ streams, tables: { rtsp: { listen: `127.0.0.1:${port}` } }, defaults: { on_demand: false } });
    reel = new Reel(clip("main.h264"));
    mkdirSync(join(WORK, "media"), { recursive: true });
  });
  after(() => lunette?.stop());

  const url = (path) => `rtsp://127.0.0.1:${port}/${path}`;

  for (const transport of ["tcp", "udp"]) {
    test(`over ${transport}, ffmpeg gets the camera's pictures byte for byte, and its sound`, { timeout: 60_000 }, async () => {
      const [picture, sound] = ["h264", "aac"].map((kind) => join(WORK, `media/rtsp_${transport}.${kind}`));
      const output = await run("ffmpeg", ["-hide_banner", "-v", "warning", "-y", ...QUICK, "-rtsp_transport", transport, "-i", url("main"), "-frames:v", PICTURES, "-c:v", "copy", "-bsf:v", "h264_metadata=aud=insert", "-f", "h264", picture, "-c:a", "copy", "-t", 3, "-f", "adts", sound]);
      assert.doesNotMatch(output, /missed|lost|corrupt|error/i);
      const { pictures, wrong, gaps } = reel.judgeFile(picture);
      assert.deepEqual({ wrong, gaps, enough: pictures >= PICTURES }, { wrong: [], gaps: 0, enough: true });
      assert.match(await run("ffprobe", ["-v", "error", "-count_packets", "-show_entries", "stream=sample_rate,nb_read_packets", "-of", "csv", sound]), /48000,1[0-9]{2}/);
    });

    test(`over ${transport}, GStreamer decodes`, { timeout: 60_000 }, () => run("/usr/bin/python3", [GST, url("main"), transport, PICTURES]));
  }

  test("every codec is described so that ffmpeg knows it, and decodes it", { timeout: 60_000 }, async () => {
    const expected = { hevc: ["hevc", "pcm_alaw"], bframes: ["h264", "opus"], mulaw: ["h264", "pcm_mulaw"], g722: ["h264", "adpcm_g722"], l16: ["h264", "pcm_s16be"] };
    await Promise.all(
      Object.entries(expected).map(async ([id, codecs]) => {
        const probed = await run("ffprobe", ["-v", "error", ...QUICK, "-rtsp_transport", "tcp", "-show_entries", "stream=codec_name", "-of", "csv=p=0", url(id)]);
        assert.deepEqual(probed.trim().split("\n"), codecs, id);
        const complaints = await run("ffmpeg", ["-hide_banner", "-v", "warning", ...QUICK, "-rtsp_transport", "tcp", "-i", url(id), "-t", 2, "-f", "null", "-"]);
        assert.doesNotMatch(complaints, /missed|lost|corrupt|error|decode/i, id);
      }),
    );
  });

  test("another Lunette takes it as a camera, over TCP and UDP", { timeout: 60_000 }, async () => {
    const next = await Lunette.start({ streams: { tcp: { url: url("main"), transport: "tcp" }, udp: { url: url("main/0"), transport: "udp" } }, tables: { rtsp: { enable: false } } });
    for (const id of ["tcp", "udp"]) {
      const viewer = new Viewer(next.mse(id));
      assert.deepEqual(reel.judge(await viewer.frames(PICTURES)), { wrong: [], gaps: 0 });
      viewer.close();
    }
    await next.stop();
  });

  test("viewers are listed, and one that is sent away is told", { timeout: 30_000 }, async () => {
    const player = new Child("ffmpeg", ["-hide_banner", "-v", "info", ...QUICK, "-rtsp_transport", "tcp", "-i", url("kicked"), "-f", "null", "-"], { name: "kicked" });
    const viewers = async () => (await (await fetch(`${lunette.http}/api/v1/viewers`)).json()).viewers;
    const ours = await until("it is listed", async () => (await viewers()).find((viewer) => viewer.stream === "kicked" && viewer.protocol === "rtsp"));
    assert.match(ours.agent, /^Lavf/);
    assert.equal((await fetch(`${lunette.http}/api/v1/viewers/${ours.id}`, { method: "DELETE" })).status, 204);
    await player.exited;
    assert.ok(!(await viewers()).some((viewer) => viewer.id === ours.id));
  });

  test("half requests, garbage and a hundred strangers harm nobody", { timeout: 30_000 }, async () => {
    const rude = ["DESCRIBE rtsp://h/main RTSP/1.0\r\nCSeq: 1\r\n", "GET / HTTP/1.1\r\n\r\n".repeat(500), `$\x00\xff\xff${"x".repeat(9000)}`, `OPTIONS * RTSP/1.0\r\nCSeq: 1\r\nX: ${"x".repeat(40_000)}\r\n\r\n`, "OPTIONS * RTSP/1.0\r\nCSeq: 1\r\n\r\n".repeat(200)];
    // Of an address of their own: those beyond the bound are refused by it.
    const sockets = Array.from({ length: 100 }, (_, i) => {
      const socket = connect({ port, host: "127.0.0.1", localAddress: "127.0.0.9" }, () => socket.write(rude[i % rude.length], "latin1"));
      return socket.on("error", () => {}).resume();
    });
    await until("those beyond a bound are closed", () => sockets.filter((socket) => socket.destroyed).length >= 36);
    await run("/usr/bin/python3", [GST, url("main"), "tcp", 10]);
    sockets.forEach((socket) => socket.destroy());
    assert.doesNotMatch(lunette.log, /panic/);
  });
});

test("a camera that restarts with pictures of another size ends no session, and times go on", { timeout: 60_000 }, async () => {
  const [camera, larger] = await Promise.all(["small", "other_size"].map((name) => gstCamera({ files: { cam: `${name}.mp4+tone.m4a` } })));
  const port = await freePort();
  const lunette = await Lunette.start({ streams: { cam: camera.url("cam") }, tables: { rtsp: { listen: `127.0.0.1:${port}` } } });
  const players = ["tcp", "udp"].map((transport) => new Child("ffmpeg", ["-hide_banner", "-v", "error", ...QUICK, "-rtsp_transport", transport, "-i", `rtsp://127.0.0.1:${port}/cam`, "-map", "0:v", "-c", "copy", "-copyts", "-f", "framecrc", "-flush_packets", 1, "-"], { name: `restart_${transport}` }));
  const decoder = new Child("ffmpeg", ["-hide_banner", "-v", "info", ...QUICK, "-rtsp_transport", "udp", "-i", `rtsp://127.0.0.1:${port}/cam`, "-vf", "showinfo", "-an", "-f", "null", "-"], { name: "restart_size" });
  const sizes = () => new Set([...decoder.output.matchAll(/ s:(\d+x\d+) /g)].map(([, size]) => size));
  const times = (player) => [...player.output.matchAll(/^0, *(\d+),/gm)].map((line) => Number(line[1]));
  await until("all play", () => players.every((player) => times(player).length > 25) && sizes().has("320x180"));
  await camera.kill();
  await until("the camera is missed", async () => (await lunette.channel("cam")).state !== "live");
  const before = players.map((player) => times(player).length);
  await larger.kill();
  camera.start = larger.start;
  await camera.up();
  await until("all go on", () => players.every((player, i) => times(player).length > before[i] + 25) && sizes().has("848x480"), 30_000);
  assert.equal(decoder.ended, undefined);
  await decoder.kill();
  for (const player of players) {
    const seen = times(player);
    assert.ok(seen.every((time, i) => i === 0 || time > seen[i - 1]), "times go on");
    assert.equal(player.ended, undefined);
    await player.kill();
  }
  await lunette.stop();
  await camera.kill();
});

test("who watches over RTSP must be allowed to, by password or token", { timeout: 60_000 }, async () => {
  const camera = await gstCamera({ files: { cam: "small.mp4" } });
  const port = await freePort();
  const hash = (await run("sh", ["-c", `printf %s right | ${BINARY} hash-password`])).trim();
  const made = await run(BINARY, ["token", "--api-key"]);
  const [key, digest] = [/lk_\S+/.exec(made)?.[0] ?? made.trim().split(/\s+/)[0], /sha256:[0-9a-f]+/.exec(made)[0]];
  const lunette = await Lunette.start({
    streams: { cam: camera.url("cam") },
    tables: { rtsp: { listen: `127.0.0.1:${port}` }, "auth.users.ann": { password_hash: hash, role: "viewer" }, "auth.keys.nvr": { hash: digest, grants: ["watch:cam"] } },
  });
  const probe = (who, query = "") => run("ffprobe", ["-v", "error", ...QUICK, "-rtsp_transport", "tcp", "-show_entries", "stream=codec_name", "-of", "csv=p=0", `rtsp://${who}127.0.0.1:${port}/cam${query}`]);
  await assert.rejects(probe(""), /401/);
  await assert.rejects(probe("ann:wrong@"), /401/);
  assert.equal((await probe("ann:right@")).trim(), "h264");
  assert.equal((await probe("", `?token=${key}`)).trim(), "h264");
  await assert.rejects(run("ffprobe", ["-v", "error", `rtsp://127.0.0.1:${port}/nobody?token=${key}`]), /403/);
  assert.ok(![hash, key, "right"].some((secret) => lunette.log.includes(secret)));
  await lunette.stop();
  await camera.kill();
});

// Of Debian's package livemedia-utils, which not all releases have.
const OPEN_RTSP = ["/usr/bin/openRTSP", process.env.OPEN_RTSP].find((path) => path && existsSync(path));
test("live555's openRTSP records", { timeout: 60_000, skip: !OPEN_RTSP && "there is no openRTSP" }, async () => {
  const port = await freePort();
  const lunette = new Child(BINARY, ["--listen", `127.0.0.1:${await freePort()}`], { name: "lunette", env: { LUNETTE_RTSP__LISTEN: `127.0.0.1:${port}` } });
  await until("it serves", () => lunette.output.includes("Lunette is at"));
  const dir = join(WORK, "media");
  for (const transport of [["-t"], []]) {
    await run(OPEN_RTSP, [...transport, "-d", 2, "-b", 2_000_000, "-F", join(dir, "live555-"), `rtsp://127.0.0.1:${port}/demo`]);
    assert.match(await run("sh", ["-c", `ffprobe -v error -f h264 -count_frames -show_entries stream=nb_read_frames -of csv=p=0 ${dir}/live555-video-H264-1`]), /^([3-9]\d|1\d\d)/);
  }
  await lunette.stop();
});
