/**
 * Where WebSockets don't get through, the player plays by LL-HLS: moving pictures, sound, near live, and it heals
 * itself there as well. The page is the one that plays by MSE elsewhere.
 */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";

import { launch, Page } from "./lib/browsers.mjs";
import { gstCamera } from "./lib/cameras.mjs";
import { Lunette } from "./lib/lunette.mjs";
import { assertPlays, longestGap } from "./lib/pictures.mjs";
import { Proxy } from "./lib/proxy.mjs";
import { span, until } from "./lib/wait.mjs";

const FPS = 25;
/** PART-HOLD-BACK of parts of 200 ms. */
const HOLD_BACK_MS = 600;
/** Between the clock before the camera and the picture on screen: encoder, part, hold-back, and a busy machine. */
const GLASS_TO_GLASS_MS = 2000;
const CHUNK = /assets\/hls[^/]*\.js/;

for (const name of ["chromium", "firefox"]) {
  describe(`behind a proxy without WebSockets, ${name}`, () => {
    let camera, lunette, refusing, dropping, browser, page;

    before(async () => {
      const files = { cam: "main.mp4+tone.m4a", alaw: "main.mp4+tone.alaw", hevc: "h265.mp4+tone.m4a", long: "hd_long_gop.mp4" };
      camera = await gstCamera({ files, stamp: ["clock"] });
      const streams = Object.fromEntries([...Object.keys(files), "clock"].map((id) => [id, camera.url(id)]));
      lunette = await Lunette.start({ streams });
      refusing = await Proxy.start(lunette.http);
      dropping = await Proxy.start(lunette.http, { upgrades: "dropped" });
      browser = await launch(name);
      page = await Page.open(browser, refusing);
    });
    after(async () => {
      await browser?.close();
      refusing?.stop();
      dropping?.stop();
      await lunette?.stop();
    });

    test("plays by LL-HLS with sound, at the distance from live that the server asks for", { timeout: 90_000 }, async (t) => {
      const player = await page.play("cam");
      const report = await player.pictures(10 * FPS, 0, 30_000);
      assertPlays(report.pictures.slice(FPS));
      assert.equal(report.state, "live");
      const { mode, codec, reconnects } = report.stats;
      assert.deepEqual({ mode, codec, reconnects }, { mode: "hls", codec: "H.264", reconnects: 2 });
      const near = await until("playback has settled", async () => {
        const { latencyMs, targetMs } = (await player.report()).stats;
        return Math.abs(latencyMs - targetMs) < 100 && { latencyMs, targetMs };
      });
      t.diagnostic(`${name}: first picture ${report.pictures[0].at - report.began} ms after the player, ${JSON.stringify(near)}`);
      assert.ok(near.targetMs >= HOLD_BACK_MS && near.targetMs < 2 * HOLD_BACK_MS, JSON.stringify(near));
      await until("the tone is heard", async () => {
        const heard = await player.listen();
        if (heard.seconds > 1 && heard.peak > 0.02 && heard.share > 0.5) return true;
        throw new Error(JSON.stringify(heard));
      });
      await player.remove();
    });

    test("is less than two seconds behind the camera's clock", { timeout: 60_000 }, async (t) => {
      const player = await page.play("clock");
      const { pictures } = await player.pictures(8 * FPS, 0, 30_000);
      const behind = pictures.slice(4 * FPS).filter(({ stamp }) => stamp !== null).map(({ at, stamp }) => (at % 2 ** 32) - stamp);
      behind.sort((a, b) => a - b);
      const median = behind[behind.length >> 1];
      t.diagnostic(`${name}: ${median} ms behind the camera's clock, at most ${behind.at(-1)} ms`);
      assert.ok(behind.length > 2 * FPS && median > 0 && median < GLASS_TO_GLASS_MS, `${median} ms`);
      await player.remove();
    });

    test("plays sound that was remuxed, and a camera with a keyframe every ten seconds from the first picture on", { timeout: 60_000 }, async () => {
      for (const id of ["alaw", "long"]) {
        const player = await page.play(id);
        const report = await player.pictures(6 * FPS, 0, 30_000);
        assertPlays(report.pictures.slice(FPS), { backward: 1 });
        assert.ok(longestGap(report.pictures) < 1500, `${id}: ${longestGap(report.pictures)} ms without a picture`);
        await player.remove();
      }
    });

    if (name === "firefox") {
      test("plays H.265", { timeout: 60_000 }, async () => {
        const player = await page.play("hevc");
        const report = await player.pictures(6 * FPS, 0, 30_000);
        assertPlays(report.pictures.slice(FPS));
        assert.equal(report.stats.codec, "H.265");
        await player.remove();
      });
    } else {
      test("says that it can't play H.265", { timeout: 60_000 }, async () => {
        const player = await page.play("hevc");
        assert.match((await player.state("failed")).text, /H\.265/);
        await player.remove();
      });
    }

    test("shows that the camera is away and why, and the same page goes on when it is back", { timeout: 120_000 }, async (t) => {
      const player = await page.play("cam");
      const first = await player.pictures(3 * FPS);
      await camera.kill();
      const offline = await player.state("offline", 15_000);
      assert.equal(offline.states.at(-1).reason, "refused");
      await span(20_000);
      assert.equal((await player.report()).state, "offline");
      await camera.up();
      const returned = Date.now();
      const away = (await player.report()).pictures.length;
      const report = await player.pictures(4 * FPS, away, 20_000);
      const took = report.pictures[0].at - returned;
      t.diagnostic(`${name}: first picture ${took} ms after the camera's return`);
      assert.ok(took < 4000, `${took} ms`);
      assert.equal(report.navigation, first.navigation, "the page was not reloaded");
      // It may be catching up, at a rate of 1.25.
      assertPlays(report.pictures.slice(FPS), { pace: 0.4 });
      await player.state("live");
      await player.remove();
    });

    test("notices within six seconds that nothing comes any more, and goes on when it can", { timeout: 90_000 }, async () => {
      const player = await page.play("cam");
      await player.pictures(3 * FPS);
      refusing.dead = true;
      const died = Date.now();
      const lost = await player.state("reconnecting", 10_000);
      assert.ok(lost.now - died < 6_000, `${lost.now - died} ms`);
      refusing.dead = false;
      const report = await player.pictures(5 * FPS, lost.pictures.length, 20_000);
      assertPlays(report.pictures.slice(2 * FPS), { pace: 0.4 });
      assert.equal((await player.state("live")).stats.mode, "hls");
      await player.remove();
    });

    test("loads hls.js once, and only here; a token is in every request of a stream", { timeout: 60_000 }, async () => {
      assert.equal(refusing.paths.filter((path) => CHUNK.test(path)).length, 1);
      const direct = await Page.open(browser, lunette);
      const player = await direct.play("cam");
      const report = await player.pictures(3 * FPS);
      assert.equal(report.stats.mode, "mse");
      const loaded = await direct.tab.evaluate("performance.getEntriesByType('resource').map((entry) => entry.name)");
      assert.deepEqual(loaded.filter((url) => CHUNK.test(url)), []);
      await direct.close();

      const from = refusing.paths.length;
      const asking = await page.play("clock?token=a%26b");
      await asking.pictures(2 * FPS);
      await asking.remove();
      const media = refusing.paths.slice(from).filter((path) => path.startsWith("/stream/clock/") && path.includes("live/"));
      assert.ok(media.length > 5 && media.every((path) => path.includes("token=a%26b")), media.join("\n"));
    });

    test("plays where a proxy drops upgrades without a word, after two tries", { timeout: 60_000 }, async (t) => {
      const other = await Page.open(browser, dropping);
      const before = dropping.upgrades;
      const player = await other.play("cam");
      const report = await player.pictures(3 * FPS, 0, 30_000);
      t.diagnostic(`${name}: first picture after ${report.pictures[0].at - report.began} ms`);
      assert.ok(report.pictures[0].at - report.began < 12_000);
      assert.equal(dropping.upgrades - before, 2);
      await other.close();
    });
  });
}
