/** Streams of an RTMP server, which is nginx's module, to which ffmpeg publishes. */
import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { createServer } from "node:tls";

import { clip } from "./lib/cameras.mjs";
import { Authority } from "./lib/certificates.mjs";
import { Lunette } from "./lib/lunette.mjs";
import { Child, freePort, NOBODY, run, WORK } from "./lib/processes.mjs";
import { Reel } from "./lib/reel.mjs";
import { breaks, Viewer } from "./lib/viewer.mjs";
import { until } from "./lib/wait.mjs";

const KEY = "k3y-that-lets-publish";

async function rtmpServer() {
  mkdirSync(WORK, { recursive: true });
  const [folder, port] = [mkdtempSync(join(WORK, "config-rtmp-")), await freePort()];
  const config = `load_module /usr/lib/nginx/modules/ngx_rtmp_module.so;\ndaemon off; master_process off; pid nginx.pid;\nevents {}\nrtmp { access_log off; server { listen 127.0.0.1:${port}; application live { live on; } } }\n`;
  writeFileSync(join(folder, "nginx.conf"), config);
  const child = new Child("/usr/sbin/nginx", ["-p", folder, "-c", join(folder, "nginx.conf"), "-e", "stderr"], { name: "nginx_rtmp" });
  return { child, port, url: (name) => `rtmp://127.0.0.1:${port}/live/${name}` };
}

/** Takes TLS off what comes, and hands the rest to `port`, as a proxy before a server does. */
async function inTls(port, files) {
  const [key, cert] = [files.key, files.certificate].map((file) => readFileSync(file));
  const server = createServer({ key, cert }, (from) => {
    const to = connect(port, "127.0.0.1");
    for (const [one, other] of [[from, to], [to, from]]) one.on("error", () => other.destroy()).pipe(other);
  });
  const at = await freePort();
  await new Promise((resolve) => server.listen(at, "127.0.0.1", resolve));
  server.unref();
  return (name) => `rtmps://127.0.0.1:${at}/live/${name}`;
}

function publish(url, picture, sound) {
  const loop = (name) => ["-stream_loop", -1, "-i", clip(name)];
  return new Child("ffmpeg", ["-hide_banner", "-v", "error", "-re", ...loop(picture), ...loop(sound), "-map", "0:v", "-map", "1:a", "-c", "copy", "-f", "flv", url], { name: "publisher" });
}

describe("RTMP", () => {
  let server, lunette, publishers, rtsp;

  before(async () => {
    server = await rtmpServer();
    const authority = await Authority.make("RTMP");
    const secure = await inTls(server.port, await authority.sign("IP:127.0.0.1"));
    rtsp = await freePort();
    publishers = [publish(server.url(KEY), "main.mp4", "tone.m4a"), publish(server.url("bframes"), "high_bframes.mp4", "tone_stereo.m4a")];
    lunette = await Lunette.start({
      streams: {
        cam: server.url(KEY),
        bframes: server.url("bframes"),
        secure: { url: secure(KEY), "tls.ca_file": authority.file },
        stranger: secure(KEY),
        nobody: server.url("nobody"),
        app: server.url("x").replace("live", "none"),
        closed: `rtmp://${NOBODY}/live/x`,
      },
      tables: { rtsp: { listen: `127.0.0.1:${rtsp}` } },
      defaults: { on_demand: false },
      level: "trace",
    });
  });
  after(async () => {
    await lunette?.stop();
    await server?.child.kill();
  });

  test("pictures arrive byte for byte, with their sound, through a publisher's restart", { timeout: 60_000 }, async () => {
    const reel = new Reel(clip("main.h264"));
    const viewer = new Viewer(lunette.mse("cam"));
    const frames = await viewer.frames(75);
    const { wrong } = reel.judge(frames);
    assert.deepEqual(wrong, []);
    for (const kind of ["video", "audio"]) assert.deepEqual(breaks(viewer.of(kind), viewer.track(kind).timescale), [], kind);
    await publishers[0].kill();
    await until("it is missed", async () => (await lunette.channel("cam")).state !== "live");
    publishers[0] = publish(server.url(KEY), "main.mp4", "tone.m4a");
    const more = await viewer.frames(frames.length + 50, "video", 30_000);
    assert.deepEqual(reel.judge(more).wrong, []);
    viewer.close();
  });

  test("RTMPS is played from a server that is trusted, and from no other", { timeout: 30_000 }, async () => {
    const viewer = new Viewer(lunette.mse("secure"));
    assert.deepEqual(new Reel(clip("main.h264")).judge(await viewer.frames(50)).wrong, []);
    viewer.close();
    await until("the other is refused", async () => /server's certificate is signed by nobody.*ca_file/.test(JSON.stringify(await lunette.channel("stranger"))));
  });

  test("B-frames are in order, and go out over RTSP", { timeout: 60_000 }, async () => {
    const output = await run("ffmpeg", ["-hide_banner", "-v", "warning", "-analyzeduration", 500_000, "-rtsp_transport", "tcp", "-i", `rtsp://127.0.0.1:${rtsp}/bframes`, "-t", 2, "-f", "null", "-"]);
    assert.doesNotMatch(output, /missed|corrupt|error|non monoton/i);
    const { tracks } = await lunette.channel("bframes");
    assert.deepEqual(tracks.map((track) => track.codec), ["H.264", "AAC"]);
  });

  test("what can't be played is told in words, and no name of a stream is", { timeout: 60_000 }, async () => {
    const why = async (id) => (await lunette.channel(id)).fault?.message ?? (await lunette.channel(id)).error?.message ?? JSON.stringify(await lunette.channel(id));
    await until("all are told", async () => {
      assert.match(await why("nobody"), /nobody publishes|refuses to play/);
      assert.match(await why("app"), /application|refuses/);
      assert.match(await why("closed"), /nothing listens/);
      return true;
    }, 30_000);
    const api = JSON.stringify(await lunette.streams()) + (await (await fetch(`${lunette.http}/api/v1/streams/cam`)).text());
    assert.ok(!api.includes(KEY) && !lunette.log.includes(KEY));
  });
});
