/** RTSPS: which certificates of a camera are trusted, and what people are told of the others. */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";

import { gstCamera } from "./lib/cameras.mjs";
import { Authority } from "./lib/certificates.mjs";
import { Lunette } from "./lib/lunette.mjs";
import { breaks, Viewer } from "./lib/viewer.mjs";

const FPS = 25;

describe("a camera whose certificate a private CA has signed", () => {
  let lunette;

  before(async () => {
    const [ours, other] = await Promise.all([Authority.make("Cameras of the house"), Authority.make("Somebody else")]);
    const [named, misnamed] = await Promise.all([ours.sign("IP:127.0.0.1"), ours.sign("DNS:IPCamera")]);
    const tls = ({ certificate, key }) => ["--tls", `${certificate},${key}`];
    const files = { cam: "main.mp4+tone.m4a" };
    const [camera, strange, locked] = await Promise.all([
      gstCamera({ files, args: tls(named) }),
      gstCamera({ files, args: tls(misnamed) }),
      gstCamera({ files, args: [...tls(named), "--auth", "viewer:secret"] }),
    ]);
    const secure = (camera) => camera.url().replace("rtsp:", "rtsps:");
    lunette = await Lunette.start({
      streams: {
        unknown: secure(camera),
        wrong: { url: secure(camera), "tls.ca_file": other.file },
        misnamed: { url: secure(strange), "tls.ca_file": ours.file },
        open: camera.url(),
        trusted: { url: secure(camera), "tls.ca_file": ours.file },
        pinned: { url: secure(strange), "tls.ca_file": misnamed.certificate },
        password: { url: secure(locked), "tls.ca_file": ours.file, username: "viewer", password: "secret" },
        any: { url: secure(strange), "tls.insecure_skip_verify": true },
      },
    });
  });
  after(() => lunette?.stop());

  const REFUSED = {
    unknown: /signed by nobody we trust.*ca_file.*insecure_skip_verify/,
    wrong: /signed by nobody we trust.*ca_file/,
    misnamed: /not made out to `127\.0\.0\.1`.*ca_file/,
  };
  for (const [id, words] of Object.entries(REFUSED)) {
    test(`is refused, and people read why: ${id}`, { timeout: 30_000 }, async () => {
      const viewer = new Viewer(lunette.mse(id));
      const { reason, message } = await viewer.said("offline", (text) => text.state === "offline" && text.message);
      assert.equal(reason, "tls");
      assert.match(message, words);
      assert.equal(viewer.inits.length, 0, "nothing of it is shown");
      viewer.close();
    });
  }

  test("is not played over an open connection either", { timeout: 30_000 }, async () => {
    const viewer = new Viewer(lunette.mse("open"));
    const { message } = await viewer.said("offline", (text) => text.state === "offline" && text.message);
    assert.ok(message.length > 10, message);
    viewer.close();
  });

  const PLAYED = {
    trusted: "its CA is named in `ca_file`",
    pinned: "its own certificate is named in `ca_file`, though it bears another name",
    password: "its CA is named, and it wants a password",
    any: "`insecure_skip_verify` takes any",
  };
  for (const [id, why] of Object.entries(PLAYED)) {
    test(`is played with its sound where ${why}`, { timeout: 40_000 }, async () => {
      const viewer = new Viewer(lunette.mse(id));
      const frames = await viewer.frames(3 * FPS);
      await viewer.frames(FPS, "audio");
      assert.deepEqual(breaks(frames, viewer.track("video").timescale), []);
      viewer.close();
    });
  }
});
