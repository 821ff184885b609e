/** Cameras over UDP, where packets get lost, come late, twice, or from somebody else. */
import assert from "node:assert/strict";
import { before, describe, test } from "node:test";

import { clip, gstCamera, scriptedCamera } from "./lib/cameras.mjs";
import { Lunette } from "./lib/lunette.mjs";
import { Reel } from "./lib/reel.mjs";
import { breaks, Viewer } from "./lib/viewer.mjs";
import { until } from "./lib/wait.mjs";

const FPS = 25;

/** A camera that plays over UDP with a fault, and one viewer of it. */
async function watch(fault, periods) {
  const camera = await scriptedCamera({ fault, ...periods });
  const lunette = await Lunette.start({ streams: { cam: { url: camera.url("plain"), transport: "udp" } } });
  const viewer = new Viewer(lunette.mse("cam"));
  await viewer.frames(1);
  assert.match(lunette.log, /plays.*UDP/);
  return { camera, lunette, viewer };
}

describe("over UDP", { concurrency: true }, () => {
  let reel;
  before(() => (reel = new Reel(clip("main.h264"))));

  test("what is lost is counted, and leaves out pictures up to a key frame", { timeout: 90_000 }, async (t) => {
    const { camera, lunette, viewer } = await watch("loss", { good: 4, bad: 4 });
    await camera.child.says(/(bad\s+good.*\s+){2}/, 40_000);
    const told = () => Number(camera.child.output.match(/lost \d+/g).at(-1).slice(5));
    await until("every lost packet is counted", async () => (await lunette.channel("cam")).counters.lost_packets === told());
    const seen = viewer.of("video").length;
    await viewer.frames(seen + 2 * FPS);
    const { wrong, gaps } = reel.judge(viewer.of("video"));
    const { counters } = await lunette.channel("cam");
    t.diagnostic(`${told()} packets lost, ${gaps} gaps, ${JSON.stringify(counters)}`);
    assert.deepEqual(wrong, [], "every picture is whole and follows what it needs");
    assert.ok(told() >= 5 && gaps >= 1, "there was something to lose");
    assert.ok(counters.dropped_frames > 0);
    assert.deepEqual([counters.starts, counters.failures], [1, 0], "a loss is no reason to dial again");
    await lunette.stop();
    await camera.kill();
  });

  const HARMLESS = {
    shuffle: "packets out of order, and some twice",
    noise: "datagrams of random bytes between the packets",
    forge: "packets with the right header from somebody else between them",
  };
  for (const [fault, what] of Object.entries(HARMLESS)) {
    test(`no picture is lost to ${what}`, { timeout: 60_000 }, async () => {
      const { camera, lunette, viewer } = await watch(fault, { good: 0, bad: 1 });
      const frames = await viewer.frames(10 * FPS, "video", 30_000);
      assert.deepEqual(reel.judge(frames), { wrong: [], gaps: 0 });
      assert.deepEqual(breaks(frames, viewer.track("video").timescale), []);
      const { counters } = await lunette.channel("cam");
      assert.deepEqual([counters.lost_packets, counters.dropped_frames, counters.failures], [0, 0, 0]);
      await lunette.stop();
      await camera.kill();
    });
  }

  test("a camera that freezes is said to be silent, and its picture resumes at a key frame when it goes on", { timeout: 90_000 }, async (t) => {
    const camera = await gstCamera({ files: { cam: "main.mp4+tone.m4a" }, args: ["--proto", "udp"] });
    const lunette = await Lunette.start({ streams: { cam: { url: camera.url(), transport: "udp" } }, defaults: { stall: "3s" } });
    const viewer = new Viewer(lunette.mse("cam"));
    await viewer.frames(2 * FPS);
    camera.freeze();
    const { message } = await viewer.said("stalled", (text) => text.reason === "stalled");
    assert.match(message, /sent nothing for 3 s/);
    const before = viewer.of("video").length;
    camera.thaw();
    const thawed = performance.now() - viewer.began;
    const frames = await viewer.frames(before + 5 * FPS, "video", 30_000);
    t.diagnostic(`first picture ${Math.round(frames[before].at - thawed)} ms after the camera went on`);
    assert.ok(frames[before].sync, "it resumes at a key frame");
    assert.deepEqual(breaks(frames, viewer.track("video").timescale).filter((at) => at !== before), [], "and has no hole from there on");
    assert.ok(frames[before].dts > frames[before - 1].dts, "on the same time line");
    assert.equal(viewer.inits.length, 1, "without a second init segment");
    const { counters } = await lunette.channel("cam");
    assert.ok(counters.failures >= 1 && counters.starts === counters.failures + 1, JSON.stringify(counters));
    await lunette.stop();
    await camera.kill();
  });
});
