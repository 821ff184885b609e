/** A camera's password is known to the camera alone. */
import assert from "node:assert/strict";
import { test } from "node:test";

import { gstCamera } from "./lib/cameras.mjs";
import { BINARY, configFile, Lunette } from "./lib/lunette.mjs";
import { Child, NOBODY } from "./lib/processes.mjs";
import { Viewer } from "./lib/viewer.mjs";

const PASSWORD = "hunter2-s3cr3t";
/** The same as a URL and as HTTP Basic would carry it. */
const DISGUISES = [PASSWORD, encodeURIComponent(PASSWORD), Buffer.from(`viewer:${PASSWORD}`).toString("base64"), Buffer.from(PASSWORD).toString("base64")];

function assertSecret(where, text) {
  for (const disguise of DISGUISES) {
    const at = text.indexOf(disguise);
    assert.equal(at, -1, `${where} tells the password: ...${text.slice(Math.max(0, at - 100), at + 40)}`);
  }
}

test("a camera password appears nowhere in a trace log, in the API, or in what viewers are told", { timeout: 90_000 }, async () => {
  const [digest, basic] = await Promise.all([
    gstCamera({ files: { cam: "small.mp4" }, args: ["--auth", `viewer:${PASSWORD}`] }),
    gstCamera({ files: { cam: "small.mp4" }, args: ["--auth", `viewer:${PASSWORD}`, "--scheme", "basic"] }),
  ]);
  const inUrl = (camera, mount) => camera.url(mount, `viewer:${PASSWORD}`);
  const lunette = await Lunette.start({
    level: "trace",
    streams: {
      digest: inUrl(digest),
      basic: inUrl(basic),
      keys: { url: digest.url(), username: "viewer", password: PASSWORD },
      udp: { url: inUrl(digest), transport: "udp" },
      missing: inUrl(digest, "missing"),
      refused: `rtsp://nobody:${PASSWORD}@${NOBODY}/cam`,
      wrong: `rtsp://nobody:${PASSWORD}@127.0.0.1:${digest.port}/cam`,
      unknown: `rtsp://nobody:${PASSWORD}@no-such-host.invalid/cam`,
      tls: `rtsps://nobody:${PASSWORD}@127.0.0.1:${digest.port}/cam`,
      query: `${digest.url()}?user=viewer&password=${PASSWORD}`,
    },
  });
  const playing = ["digest", "basic", "keys", "udp"].map((id) => new Viewer(lunette.mse(id)));
  const failing = ["missing", "refused", "wrong", "unknown", "tls", "query"].map((id) => new Viewer(lunette.mse(id)));
  await Promise.all([
    ...playing.map((viewer) => viewer.frames(20)),
    ...failing.map((viewer) => viewer.said("offline", (text) => text.state === "offline", 40_000)),
  ]);
  const told = JSON.stringify([...playing, ...failing].map((viewer) => viewer.texts));
  const api = JSON.stringify(await lunette.streams());
  await lunette.stop();
  assert.match(lunette.log, /DEBUG|TRACE/, "the log is a detailed one");
  assertSecret("the log", lunette.log);
  assertSecret("a message to viewers", told);
  assertSecret("the API", api);
});

test("a configuration that is wrong is told without the password in it", { timeout: 20_000 }, async () => {
  const broken = [
    `[streams.front]\nurl = "rtsp://viewer:${PASSWORD}@10.0.0.1/x"\ntransprot = "tcp"\n`,
    `[streams.front]\nurl = "rtp://viewer:${PASSWORD}@10.0.0.1/x"\n`,
    `[streams.front]\nurl = "rtsp://viewer:${PASSWORD}@10.0.0.1/x\n`,
    `[streams.front]\nurl = "rtsp://10.0.0.1/x"\npassword = "${PASSWORD}\n`,
    `[streams.front]\nurl = "rtsp://10.0.0.1/x"\npasswort = "${PASSWORD}"\n`,
    `[streams.front]\nurl = "rtsp://10.0.0.1/x"\npassword = ["${PASSWORD}"]\n`,
    `[streams.front]\nurl = "viewer:${PASSWORD}@10.0.0.1"\n`,
  ];
  for (const text of broken) {
    const child = new Child(BINARY, ["check", "--config", configFile(text)], { name: "check" });
    const { code } = await child.exited;
    assert.equal(code, 2, `${text}\n${child.output}`);
    assert.match(child.output, /lunette\.toml:\d+/, "the line is named");
    assertSecret("check", child.output);
  }
});

test("a password on the command line is not logged", { timeout: 40_000 }, async () => {
  const camera = await gstCamera({ files: { cam: "small.mp4" }, args: ["--auth", `viewer:${PASSWORD}`] });
  const lunette = await Lunette.start({
    args: (listen) => ["--listen", listen, "--log", "trace", camera.url("cam", `viewer:${PASSWORD}`)],
  });
  const viewer = new Viewer(lunette.mse("camera"));
  await viewer.frames(10);
  await lunette.stop();
  assertSecret("the log", lunette.log);
});
