/** What is promised in docs/mse.md, word for word. */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";

import { gstCamera } from "./lib/cameras.mjs";
import { NOBODY } from "./lib/processes.mjs";
import { Lunette } from "./lib/lunette.mjs";
import { fragment, isInit } from "./lib/mp4.mjs";
import { mp4box, save, ffprobe } from "./lib/parsers.mjs";
import { breaks, Viewer } from "./lib/viewer.mjs";
import { span, until } from "./lib/wait.mjs";

const FPS = 25;

describe("MSE over WebSocket", { concurrency: 3 }, () => {
  let camera, lunette;

  before(async () => {
    camera = await gstCamera({ files: { main: "main.mp4+tone.m4a", sub: "small.mp4", hevc: "h265.mp4", flip: "main.mp4+tone.m4a,other_size.mp4+tone.m4a" } });
    lunette = await Lunette.start({
      streams: {
        front: { name: "Front door" },
        "front.channels.main": { url: camera.url("main") },
        "front.channels.sub": { url: camera.url("sub") },
        hevc: camera.url("hevc"),
        flip: camera.url("flip"),
        away: `rtsp://${NOBODY}/none`,
      },
      defaults: { linger: "1s" },
    });
  });
  after(() => lunette?.stop());

  test("the first channel is what a URL without one means", { timeout: 30_000 }, async () => {
    const viewers = [undefined, "main", "sub"].map((channel) => new Viewer(lunette.mse("front", channel)));
    await Promise.all(viewers.map((viewer) => viewer.frames(10)));
    assert.deepEqual(viewers.map((viewer) => viewer.track("video").width), [640, 640, 320]);
    viewers.forEach((viewer) => viewer.close());
  });

  test("an unknown stream or channel is answered with 404 and a problem before the upgrade", { timeout: 20_000 }, async () => {
    for (const [stream, channel] of [["nobody"], ["front", "9"]]) {
      const viewer = new Viewer(lunette.mse(stream, channel));
      await viewer.ended();
      assert.equal(viewer.refused.statusCode, 404);
      assert.match(viewer.refused.headers["content-type"], /application\/problem\+json/);
    }
  });

  test("a viewer that joins late begins at once, at the newest key frame", { timeout: 30_000 }, async () => {
    const first = new Viewer(lunette.mse("front"));
    await first.frames(40);
    const late = new Viewer(lunette.mse("front"));
    const [opening] = await late.frames(1);
    assert.ok(opening.sync);
    assert.ok(opening.at < 500, `the first picture took ${opening.at} ms`);
    const known = first.of("video").find((f) => f.dts === opening.dts);
    assert.ok(known?.sync, "its time is the stream's own, and the others saw the same key frame");
    first.close();
    late.close();
  });

  test("a client that offers no subprotocol gets RTSPtoWeb's framing, from time zero", { timeout: 30_000 }, async () => {
    const early = new Viewer(lunette.mse("front"));
    await early.frames(30);
    const viewer = new Viewer(lunette.mse("front"), { legacy: true });
    const frames = await viewer.frames(40);
    assert.equal(viewer.socket.protocol, "");
    assert.match(viewer.messages[0].codecs, /^avc1\.[0-9A-Fa-f]{6},mp4a\.40\.2$/);
    assert.ok(viewer.messages[1].init);
    assert.equal(viewer.texts.length, 0, "nothing but binary messages");
    assert.equal(frames[0].dts, 0);
    assert.ok(frames[0].sync);
    const { timescale } = viewer.track("audio");
    assert.ok(viewer.of("audio")[0].dts / timescale < 3, "the sound begins with the picture");
    assert.deepEqual(breaks(frames, viewer.track("video").timescale), []);
    assert.equal((await ffprobe(save("legacy", viewer.file()))).complaints, "");
    assert.equal((await mp4box(viewer.file())).length, 2);
    early.close();
    viewer.close();
  });

  test("each binary message is an init segment or one fragment of one track and one access unit", { timeout: 30_000 }, async () => {
    const viewer = new Viewer(lunette.mse("front"));
    await viewer.frames(30);
    viewer.close();
    assert.ok(isInit(viewer.media[0]));
    for (const message of viewer.media.slice(1)) assert.equal(fragment(message).samples.length, 1);
  });

  test("tracks that the browser can't play are left out, and said so", { timeout: 30_000 }, async () => {
    const viewer = new Viewer(lunette.mse("front"), { hello: { type: "hello", codecs: ["avc1.640033"] } });
    await viewer.frames(10);
    assert.deepEqual(viewer.announced.tracks.map((track) => track.kind), ["video"]);
    assert.deepEqual(viewer.announced.left_out.map((track) => track.kind), ["audio"]);
    assert.ok(viewer.announced.left_out[0].why);
    viewer.close();
  });

  test("a browser that can play nothing of a stream is told so with 4003", { timeout: 30_000 }, async () => {
    const viewer = new Viewer(lunette.mse("hevc"), { hello: { type: "hello", codecs: ["avc1.640033", "mp4a.40.2"] } });
    const { code, reason } = await viewer.ended();
    assert.equal(code, 4003);
    assert.match(reason, /H\.?265|HEVC/i);
  });

  test("a client that says no hello within 10 s is dropped with 1002", { timeout: 30_000 }, async () => {
    const viewer = new Viewer(lunette.mse("front"), { hello: null });
    const { code } = await viewer.ended();
    assert.equal(code, 1002);
    assert.ok(performance.now() - viewer.began > 8_000);
  });

  test("a client that talks nonsense is dropped with 1002, and never takes the server down", { timeout: 30_000 }, async () => {
    for (const rubbish of ["not json", '{"type":"hello","codecs":7}', "x".repeat(1 << 20)]) {
      const viewer = new Viewer(lunette.mse("front"), { hello: null });
      viewer.socket.on("open", () => viewer.socket.send(rubbish));
      const { code } = await viewer.ended();
      assert.ok([1002, 1006].includes(code), `${rubbish.slice(0, 30)}: ${code}`);
    }
    assert.ok(await lunette.healthy());
  });

  test("a viewer that answers no pings is dropped with 4001 within 20 s", { timeout: 40_000 }, async () => {
    const viewer = new Viewer(lunette.mse("front"), { options: { autoPong: false } });
    const { code } = await viewer.ended(25_000);
    assert.equal(code, 4001);
  });

  test("a viewer of a camera that is away is told so, and stays", { timeout: 30_000 }, async () => {
    const viewer = new Viewer(lunette.mse("away"));
    const told = await viewer.said("offline", (text) => text.state === "offline");
    assert.equal(told.reason, "refused");
    await span(3000);
    assert.equal(viewer.closed, undefined);
    viewer.close();
  });

  test("a camera that changes its resolution is announced again, with a fresh init segment", { timeout: 60_000 }, async () => {
    const viewer = new Viewer(lunette.mse("flip"));
    await until("three init segments", () => viewer.inits.length >= 3, 40_000);
    await viewer.frames(10);
    const widths = viewer.inits.map((init) => init.tracks.find((track) => track.kind === "video").width);
    assert.deepEqual(new Set(widths.slice(0, 3)), new Set([640, 848]));
    const announced = viewer.texts.filter((text) => text.type === "tracks");
    assert.equal(announced.length, viewer.inits.length);
    for (const init of viewer.inits) {
      const next = viewer.messages.slice(viewer.messages.indexOf(init) + 1);
      const id = init.tracks.find((track) => track.kind === "video").id;
      const first = next.find((message) => message.fragment?.track === id);
      assert.ok(!first || first.fragment.sync, "a key frame follows each");
    }
    const times = viewer.of("video").map((f) => f.dts);
    assert.deepEqual(times, times.toSorted((a, b) => a - b), "the time line goes on");
    viewer.close();
  });

  test("a stream that nobody watches any more lets its camera go", { timeout: 30_000 }, async () => {
    const viewer = new Viewer(lunette.mse("front", "sub"));
    await viewer.frames(5);
    viewer.close();
    await until("the channel is idle", async () => {
      const front = (await lunette.streams()).find((stream) => stream.id === "front");
      return front.channels.find((channel) => channel.id === "sub").state === "idle";
    });
  });
});
