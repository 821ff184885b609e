/** Real browsers play every stream: the clock in the pixels goes on, and the tone is heard. */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";

import { launch, Page } from "./lib/browsers.mjs";
import { gstCamera } from "./lib/cameras.mjs";
import { Lunette } from "./lib/lunette.mjs";
import { assertPlays, DEMO_MS, longestGap } from "./lib/pictures.mjs";
import { until } from "./lib/wait.mjs";

const PICTURES = 5 * 25;

/** Waits until a record of the sound is the clips' tone of 440 Hz; once a second a beep stands beside it. */
async function hearTone(player) {
  await until("the tone is heard", async () => {
    const heard = await player.listen();
    if (heard.seconds > 1 && heard.peak > 0.02 && heard.share > 0.5) return true;
    throw new Error(JSON.stringify(heard));
  });
}

const FILES = {
  aac: "main.mp4+tone.m4a",
  alaw: "main.mp4+tone.alaw",
  mulaw: "main.mp4+tone.mulaw",
  g722: "main.mp4+tone.g722",
  l16: "main.mp4+tone.l16",
  opus: "main.mp4+tone.ogg",
  stereo: "main.mp4+tone_stereo.m4a",
};

const BROWSERS = {
  chromium: { sounds: Object.keys(FILES), hevc: false },
  firefox: { sounds: ["aac", "alaw", "opus"], hevc: true },
};

for (const [name, can] of Object.entries(BROWSERS)) {
  describe(name, () => {
    let camera, lunette, browser, page;

    before(async () => {
      camera = await gstCamera({
        files: { ...FILES, bframes: "high_bframes.mp4+tone.m4a", slices: "slices.mp4", hevc: "h265.mp4+tone.m4a", hevcb: "h265_bframes.mp4" },
      });
      const streams = Object.fromEntries(["bframes", "slices", "hevc", "hevcb", ...Object.keys(FILES)].map((id) => [id, camera.url(id)]));
      lunette = await Lunette.start({ streams });
      browser = await launch(name);
      page = await Page.open(browser, lunette);
    });
    after(async () => {
      await browser?.close();
      await lunette?.stop();
    });

    /** Plays a stream for a while; returns the player and its report. */
    async function watch(id, pictures = PICTURES) {
      const player = await page.play(id);
      const report = await player.pictures(pictures, 0, 30_000);
      return { player, report };
    }

    for (const sound of can.sounds) {
      test(`plays H.264 with ${sound}: the clock in the pixels advances, and the tone is heard`, { timeout: 60_000 }, async () => {
        const { player, report } = await watch(sound);
        // The first second is where a player finds its place at live.
        assertPlays(report.pictures.slice(25));
        assert.ok(report.decoded >= PICTURES * 0.9, `${report.decoded} decoded`);
        assert.equal(report.state, "live");
        assert.equal(report.size, "640x360");
        await hearTone(player);
        await player.remove();
      });
    }

    for (const id of ["bframes", ...(can.hevc ? ["hevcb"] : [])]) {
      test(`plays a stream with B-frames in order: ${id}`, { timeout: 60_000 }, async () => {
        const { player, report } = await watch(id, PICTURES * 2);
        // The player sets Firefox back, further from live, where that drops B-frames; all else would be a wrong order.
        assertPlays(report.pictures.slice(25), { backward: report.stats.jumpsBack });
        assert.ok(longestGap(report.pictures.slice(25)) < 500, `${longestGap(report.pictures.slice(25))} ms without a picture`);
        await player.remove();
      });
    }

    test("plays pictures of several slices", { timeout: 60_000 }, async () => {
      const { player, report } = await watch("slices");
      assertPlays(report.pictures.slice(25));
      await player.remove();
    });

    if (can.hevc) {
      test("plays H.265 with its sound", { timeout: 60_000 }, async () => {
        const { player, report } = await watch("hevc");
        assertPlays(report.pictures.slice(25));
        await hearTone(player);
        await player.remove();
      });
    } else {
      test("says that it can't play H.265 where a stream has nothing else", { timeout: 60_000 }, async () => {
        const player = await page.play("hevcb");
        const report = await player.state("failed", 20_000);
        assert.match(report.text, /H\.?265|HEVC/i);
        await player.remove();
      });
    }

    test("keeps near live: two seconds in, the picture is less than a second behind the newest", { timeout: 60_000 }, async () => {
      const { player, report } = await watch("aac", 75);
      assert.ok(report.stats.latencyMs < 1000, JSON.stringify(report.stats));
      await player.remove();
    });

    test("logs no error and breaks no content security policy", () => {
      const bad = page.console.filter((line) => /^(error|uncaught)|Content.Security|Refused to/i.test(line) && !/favicon/.test(line));
      assert.deepEqual(bad, []);
    });
  });
}

describe("the front page", () => {
  test("plays the demo camera with sound at once when no camera is configured", { timeout: 60_000 }, async () => {
    const lunette = await Lunette.start({ args: (listen) => ["--listen", listen] });
    const browser = await launch("chromium");
    const page = await Page.front(browser, lunette);
    const player = await page.own("demo");
    const report = await player.pictures(PICTURES);
    assertPlays(report.pictures.slice(25), { loopMs: DEMO_MS });
    const heard = await player.listen();
    assert.ok(heard.seconds > 1 && heard.peak > 0.01, JSON.stringify(heard));
    assert.match(await page.tab.evaluate("document.body.innerText"), /Demo camera/);
    await browser.close();
    await lunette.stop();
  });
});
