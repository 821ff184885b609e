/** LL-HLS and HLS (docs/hls.md): players, parsers and crowds that nobody here wrote for it. */
import assert from "node:assert/strict";
import { Agent, get } from "node:http";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import * as HLS from "hls-parser";

import { launch } from "./lib/browsers.mjs";
import { clip, gstCamera } from "./lib/cameras.mjs";
import { Pages, PLAYERS } from "./lib/hls_players.mjs";
import { Lunette } from "./lib/lunette.mjs";
import { run, TESTS } from "./lib/processes.mjs";
import { assertPlays } from "./lib/pictures.mjs";
import { span, until } from "./lib/wait.mjs";

/** Requests that wait at once; a tenth of what one process has to hold, since the client is slower. */
const CROWD = 1000;

/** Players that begin where nobody has asked before, with keyframes ten seconds apart; each has a camera of its own. */
const COLD = ["hlsjs", "shaka"];

/** Streams of their own for those who ask first, with keyframes two seconds apart: GStreamer, and Chromium's own player. */
const KINDS = ["hls", "hlsll"];
const FIRST = KINDS.flatMap((kind) => [`first-${kind}`, `native-${kind}`]);

HLS.setOptions({ strictMode: true });

/** Follows a channel's LL-HLS playlist by blocking reloads, and parses each one strictly. */
class Follower {
  playlists = [];
  hints = [];

  constructor(lunette, stream) {
    this.url = `${lunette.http}/stream/${stream}/channel/0/hlsll/live/media.m3u8`;
  }

  async next(skip = false) {
    const last = this.playlists.at(-1)?.segments.at(-1);
    let query = "";
    if (last) {
      const open = !last.uri;
      const parts = last.parts.filter((part) => !part.hint).length;
      query = `?_HLS_msn=${open ? last.mediaSequenceNumber : last.mediaSequenceNumber + 1}&_HLS_part=${open ? parts : 0}${skip ? "&_HLS_skip=YES" : ""}`;
    }
    const response = await fetch(this.url + query);
    if (response.status === 503) return null;
    const text = await response.text();
    assert.equal(response.status, 200, `${query}: ${text}`);
    const playlist = HLS.parse(text);
    this.hints.push(/PRELOAD-HINT.*URI="([^"]+)"/.exec(text)[1]);
    this.playlists.push(playlist);
    return playlist;
  }

  /** Until `done` says so of all that was seen. */
  async follow(done, timeoutMs = 60_000) {
    const end = Date.now() + timeoutMs;
    while (!done(this.playlists)) {
      assert.ok(Date.now() < end, `in vain: ${JSON.stringify(this.playlists.at(-1)?.segments.at(-1))}`);
      await this.next();
    }
  }
}

describe("HLS", { concurrency: false }, () => {
  let camera, lunette, browser, pages;

  before(async () => {
    camera = await gstCamera({
      files: { ...Object.fromEntries(COLD.map((lib) => [lib, "small_long_gop.mp4+tone.m4a"])), main: "main.mp4+tone.m4a", flip: "main.mp4+tone.m4a,other_size.mp4+tone.m4a", bframes: "high_bframes.mp4+tone.m4a" },
    });
    const mounts = ["main", "flip", "bframes", ...COLD];
    lunette = await Lunette.start({ streams: Object.fromEntries([...mounts.map((mount) => [mount, camera.url(mount)]), ...[...FIRST, "known"].map((id) => [id, { url: camera.url("main"), on_demand: false }])]), defaults: { linger: "1s" } });
    pages = await Pages.start();
    browser = await launch("chromium");
  });
  after(async () => {
    await browser?.close();
    pages?.stop();
    await lunette?.stop();
    await camera?.kill();
  });

  const playlist = (stream, kind = "hlsll") => `${lunette.http}/stream/${stream}/${kind}/live/index.m3u8`;

  /** Until the channel has been packaged for a few segments. */
  const warm = async (stream) => {
    const follower = new Follower(lunette, stream);
    await follower.follow((seen) => (seen.at(-1)?.segments.length ?? 0) >= 5);
  };

  for (const lib of PLAYERS) {
    test(`${lib} plays picture and sound`, { timeout: 60_000 }, async () => {
      await warm("main");
      const player = await pages.play(browser, lib, playlist("main"));
      const begun = await player.pictures(60);
      const { pictures, ...report } = await player.pictures(150, begun.pictures.length);
      assertPlays(pictures);
      assert.ok(report.audioBytes > 0, "sound is decoded");
      assert.deepEqual(report.errors.filter((error) => error.includes("fatal")), []);
      await player.close();
    });
  }

  test("keyframes ten seconds apart are played without a hole, by those who ask first", { timeout: 90_000 }, async () => {
    for (const lib of COLD) {
      const player = await pages.play(browser, lib, playlist(lib));
      // Further than the first segments that are cut in time, and the next keyframe.
      const { pictures, ...report } = await player.pictures(325, 0, 40_000);
      assert.deepEqual(report.errors.filter((error) => error.includes("fatal")), []);
      assert.equal(report.buffered.length, 1, `${lib} has a hole: ${JSON.stringify(report.buffered)}`);
      assertPlays(pictures.slice(25));
      await player.close();
    }
  });

  test("Chromium's own player plays when it asks first", { timeout: 90_000 }, async () => {
    for (const kind of KINDS) {
      const player = await pages.play(browser, "native", playlist(`native-${kind}`, kind));
      const report = await player.pictures(75);
      assert.deepEqual(report.errors, []);
      await player.close();
    }
  });

  test("video.js plays wherever in a GOP it joins", { timeout: 60_000 }, async () => {
    // Where two keyframes have been seen before anybody asks, segments are GOPs.
    const seen = /channel_keyframe_interval_seconds\{[^}]*stream="known"[^}]*\} [1-9]/;
    await until("two keyframes", async () => seen.test(await (await fetch(`${lunette.http}/metrics`)).text()), 10_000);
    await warm("known");
    for (let join = 0; join < 2; join++) {
      const player = await pages.play(browser, "videojs", playlist("known"));
      // Further than the first two keyframes.
      const report = await player.pictures(75);
      assert.deepEqual(report.errors, []);
      await player.close();
    }
  });

  test("pictures a second and five seconds apart are played with their sound, by those who ask first", { timeout: 120_000 }, async () => {
    const rates = ["1", "1/5"];
    const cameras = await Promise.all(rates.map((rate) => gstCamera({ stamp: ["cam"], args: ["--size", "320x180", "--fps", rate, "--gop", "3", "--stamp-audio", clip("tone.m4a")] })));
    const streams = cameras.flatMap((one, i) => ["hlsjs", "gst"].map((who) => [`${who}-${i}`, one.url()]));
    const slow = await Lunette.start({ streams: Object.fromEntries(streams) });
    const url = (id) => `${slow.http}/stream/${id}/hlsll/live/index.m3u8`;
    try {
      await Promise.all(rates.flatMap((_, i) => [
        run("/usr/bin/python3", [join(TESTS, "e2e/lib/gst_hls.py"), url(`gst-${i}`), 4]),
        (async () => {
          const player = await pages.play(browser, "hlsjs", url(`hlsjs-${i}`));
          const report = await player.pictures(4, 0, 50_000);
          assert.ok(report.audioBytes > 0, "sound is decoded");
          assert.deepEqual(report.errors.filter((error) => error.includes("fatal")), []);
          await player.close();
        })(),
      ]));
    } finally {
      await slow.stop();
      await Promise.all(cameras.map((one) => one.kill()));
    }
  });

  test("hls.js plays B-frames in order", { timeout: 90_000 }, async () => {
    await warm("bframes");
    const player = await pages.play(browser, "hlsjs", playlist("bframes"));
    const begun = await player.pictures(60);
    const report = await player.pictures(120, begun.pictures.length);
    assert.deepEqual(report.errors.filter((error) => error.includes("fatal")), []);
    assertPlays(report.pictures);
    await player.close();
  });

  test("ffmpeg and GStreamer read both kinds", { timeout: 120_000 }, async () => {
    for (const kind of KINDS) {
      await run("ffmpeg", ["-v", "error", "-xerror", "-t", "5", "-i", playlist("main", kind), "-f", "null", "-"]);
      await run("/usr/bin/python3", [join(TESTS, "e2e/lib/gst_hls.py"), playlist("main", kind), 100]);
    }
  });

  test("GStreamer plays when it asks first", { timeout: 60_000 }, async () => {
    const plays = (kind) => run("/usr/bin/python3", [join(TESTS, "e2e/lib/gst_hls.py"), playlist(`first-${kind}`, kind), 90]);
    await Promise.all(KINDS.map(plays));
  });

  test("a change of parameters is a new map behind a discontinuity, and players go on", { timeout: 120_000 }, async () => {
    const follower = new Follower(lunette, "flip");
    await follower.next();
    const player = await pages.play(browser, "hlsjs", playlist("flip"));
    await follower.follow((seen) => new Set(seen.flatMap((one) => one.segments.flatMap((segment) => segment.map?.uri ?? []))).size >= 2);
    const changed = follower.playlists.at(-1).segments.filter((segment) => segment.discontinuity);
    assert.ok(changed.length > 0);
    const widths = async () => new Set((await player.report()).pictures.map((picture) => picture.width));
    await until("both sizes were shown", async () => (await widths()).size >= 2, 40_000);
    await player.close();
  });

  test("a camera that restarts is a discontinuity, numbers go on, and players too", { timeout: 120_000 }, async () => {
    const follower = new Follower(lunette, "main");
    await follower.follow((seen) => seen.length >= 20);
    // All the time, so that no hint is missed.
    const followed = follower.follow((seen) => seen.at(-1)?.segments.some((segment) => segment.discontinuity));
    const player = await pages.play(browser, "hlsjs", playlist("main"));
    await player.pictures(50);
    await camera.kill();
    await span(3000);
    await camera.up();
    await followed;
    const back = (await player.report()).pictures.length;
    await player.pictures(75, back, 40_000);
    await player.close();
    const numbers = follower.playlists.map((one) => one.segments.at(-1).mediaSequenceNumber);
    assert.ok(numbers.every((number, i) => i === 0 || number >= numbers[i - 1]), "numbers never go back");
    const targets = new Set(follower.playlists.map((one) => `${one.targetDuration} ${one.partTargetDuration} ${JSON.stringify(one.lowLatencyCompatibility)}`));
    assert.equal(targets.size, 1, "what must not change has not");
    for (const [i, hint] of follower.hints.slice(0, -1).entries()) {
      const later = follower.playlists[i + 1];
      const parts = later.segments.flatMap((segment) => segment.parts.map((part) => part.uri));
      assert.ok(parts.includes(hint), `${hint} was promised`);
    }
  });

  test(`${CROWD} requests that wait are answered with the next part`, { timeout: 60_000 }, async () => {
    const follower = new Follower(lunette, "main");
    const last = (await follower.next()).segments.at(-1);
    // Beyond the next parts, so that all of them are there before it comes.
    const url = `${follower.url}?_HLS_msn=${last.mediaSequenceNumber + 2}`;
    const agent = new Agent({ maxSockets: CROWD });
    const answered = [];
    const ask = () =>
      new Promise((resolve, reject) => {
        get(url, { agent }, (response) => {
          answered.push({ at: performance.now(), status: response.statusCode });
          response.resume().on("end", resolve);
        }).on("error", reject);
      });
    await Promise.all(Array.from({ length: CROWD }, ask));
    assert.deepEqual([...new Set(answered.map(({ status }) => status))], [200]);
    const took = Math.max(...answered.map(({ at }) => at)) - Math.min(...answered.map(({ at }) => at));
    console.log(`    ${CROWD} answers in ${took.toFixed(0)} ms`);
    agent.destroy();
  });
});
