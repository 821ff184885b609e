/** Cameras of which only one half works: sound without a picture, a picture without its sound. */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";

import { launch, Page } from "./lib/browsers.mjs";
import { gstCamera, scriptedCamera } from "./lib/cameras.mjs";
import { Lunette } from "./lib/lunette.mjs";
import { assertPlays, longestGap } from "./lib/pictures.mjs";
import { Viewer } from "./lib/viewer.mjs";
import { until } from "./lib/wait.mjs";

const FPS = 25;
/** Between these seconds the sound of `hushed` is away. */
const HUSH = { from: 12, to: 27 };
/** The longest time without a new picture that a busy machine may take. Browsers halt for as long as sound is missing. */
const HALT_MS = 1500;
/** How long a player may wait for sound before it plays without it. */
const GIVE_UP_MS = 5000;

describe("a camera of which only one half works", { concurrency: true }, () => {
  let lunette, browser, page;

  before(async () => {
    const script = await scriptedCamera();
    const files = { aac: "main.mp4+tone.m4a", opus: "main.mp4+tone.ogg", surround: "main.mp4+tone_surround.m4a" };
    const gst = await gstCamera({ files, args: ["--hush", `${HUSH.from}:${HUSH.to}`] });
    const streams = Object.fromEntries(Object.keys(files).map((id) => [id, gst.url(id)]));
    for (const id of ["unheard", "standstill"]) streams[id] = script.url(id);
    lunette = await Lunette.start({ streams, defaults: { stall: "3s" } });
    browser = await launch("chromium");
    page = await Page.open(browser, lunette);
  });
  after(async () => {
    await browser?.close();
    await lunette?.stop();
  });

  /** The clock in the pixels goes on without a halt and nothing had to be mended. */
  function assertUndisturbed({ pictures, state, stats }) {
    assertPlays(pictures, { pace: 0.1 });
    assert.ok(longestGap(pictures) < HALT_MS, `${longestGap(pictures)} ms without a picture`);
    assert.deepEqual([state, stats.reconnects], ["live", 0]);
  }

  test("plays when the sound that it announces never comes", { timeout: 60_000 }, async () => {
    const player = await page.play("unheard");
    const first = await player.pictures(1);
    const report = await player.pictures(15 * FPS, FPS, 40_000);
    const wait = first.pictures[0].at - first.began;
    assert.ok(wait < 4000, `the first picture came after ${wait} ms`);
    assertUndisturbed(report);
    const viewer = new Viewer(lunette.mse("unheard"));
    const silence = await viewer.frames(FPS, "audio");
    assert.ok(silence.length > 0, "the sound is there, as silence");
    viewer.close();
    await player.remove();
  });

  for (const codec of ["aac", "opus"]) {
    test(`plays on when its sound ends, and is heard when it comes back: ${codec}`, { timeout: 90_000 }, async () => {
        const player = await page.play(codec);
      const hears = async (what, right) => {
        await until(what, async () => right(await player.listen(1000)), 30_000);
        return (await player.report()).pictures.length;
      };
      await player.pictures(2 * FPS);
      await hears("the tone", ({ share }) => share > 0.5);
      await hears("silence", ({ peak, seconds }) => seconds > 0.5 && peak < 0.001);
      await hears("the tone again", ({ share }) => share > 0.5);
      assertUndisturbed(await player.pictures(18 * FPS, 2 * FPS));
      await player.remove();
    });
  }

  test("plays on without its sound when that ends, in a codec whose silence nobody knows", { timeout: 90_000 }, async (t) => {
    const player = await page.play("surround");
    const { pictures } = await player.pictures((HUSH.from + 8) * FPS, 0, 60_000);
    t.diagnostic(`the longest time without a picture: ${longestGap(pictures)} ms`);
    assert.ok(longestGap(pictures) < GIVE_UP_MS, `${longestGap(pictures)} ms without a picture`);
    const later = await player.pictures(3 * FPS, pictures.length);
    assertPlays(later.pictures, { pace: 0.1 });
    assert.equal(later.state, "live");
    await player.remove();
  });

  test("is dialled again when the picture stops and the sound goes on, and people read why", { timeout: 90_000 }, async () => {
    const viewer = new Viewer(lunette.mse("standstill"));
    await viewer.frames(FPS);
    const { reason, message } = await viewer.said("stalled", (text) => text.reason === "stalled", 60_000);
    assert.equal(reason, "stalled");
    assert.match(message, /sends sound but no picture/);
    const before = viewer.of("video").length;
    assert.ok(before >= 24 * FPS, `${before} pictures had come`);
    const frames = await viewer.frames(before + 2 * FPS);
    assert.ok(frames[before].sync && frames[before].dts > frames[before - 1].dts);
    viewer.close();
  });
});
