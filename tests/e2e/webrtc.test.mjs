/** WHEP in headless Chromium: the clock in the pixels goes on, the tone is heard, and a restart of anything is survived. */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";

import { ADDRESS, alone, OUTSIDE } from "./lib/alone.mjs";
import { launch, Page } from "./lib/browsers.mjs";
import { gstCamera } from "./lib/cameras.mjs";
import { blockUdp, narrow } from "./lib/line.mjs";
import { apiKey, Lunette } from "./lib/lunette.mjs";
import { assertPlays } from "./lib/pictures.mjs";
import { Relay } from "./lib/relay.mjs";
import { span, until } from "./lib/wait.mjs";
import { WhepPage } from "./lib/whep.mjs";

alone(import.meta);

const PICTURES = 4 * 25;
const WEBRTC = { webrtc: { listen: `${ADDRESS}:8555` } };
const FILES = { aac: "main.mp4+tone.m4a", alaw: "main.mp4+tone.alaw", opus: "main.mp4+tone.ogg", bframes: "high_bframes.mp4+tone.alaw", hevc: "h265.mp4+tone.alaw" };

async function hearTone(viewer) {
  await until("the tone is heard", async () => {
    const heard = await viewer.listen();
    if (heard.seconds > 1 && heard.peak > 0.02 && heard.share > 0.5) return true;
    throw new Error(JSON.stringify(heard));
  });
}

describe("WHEP in Chromium", () => {
  let camera, lunette, browser, page;

  before(async () => {
    camera = await gstCamera({ files: FILES });
    const streams = Object.fromEntries(Object.keys(FILES).map((id) => [id, camera.url(id)]));
    lunette = await Lunette.start({ streams, tables: WEBRTC, level: "debug" });
    browser = await launch("chromium");
    page = await WhepPage.open(browser, lunette);
  });
  after(async () => {
    await browser?.close();
    await lunette?.stop();
  });

  for (const sound of ["alaw", "opus", "aac"]) {
    test(`t1 t5 t24: plays H.264 with ${sound}: the clock in the pixels advances, and the tone is heard`, { timeout: 60_000 }, async () => {
      const viewer = await page.whep(sound);
      const report = await viewer.pictures(PICTURES);
      assertPlays(report.pictures.slice(25));
      assert.equal(report.size, "640x360");
      await hearTone(viewer);
      const { video, audio, transport } = await viewer.inbound();
      assert.equal(video.packetsLost, 0);
      assert.equal(video.pliCount, 0);
      assert.ok(audio.packetsReceived > 50, JSON.stringify(audio));
      assert.match(transport.srtpCipher, /GCM/);
      await viewer.remove();
    });
  }

  test("the second viewer of a stream waits for nothing: the answer and the first picture come at once", { timeout: 30_000 }, async () => {
    const first = await page.whep("alaw", { id: "first" });
    await first.pictures(25);
    const second = await page.whep("alaw", { id: "second" });
    const { pictures, began } = await second.pictures(1);
    const { ms } = await second.answered();
    // Far more than it takes, and far less than a keyframe's or a gathering's time: speed is asked of benchmarks.
    assert.ok(ms < 200, `the answer took ${ms} ms`);
    assert.ok(pictures[0].at - began < 2_000, `the first picture took ${pictures[0].at - began} ms`);
    await first.remove();
    await second.remove();
  });

  test("t19: ICE is restarted while the picture goes on", { timeout: 60_000 }, async () => {
    const viewer = await page.whep("opus", { id: "restarted" });
    const before = (await viewer.pictures(25)).pictures.length;
    const { etag } = await viewer.answered();
    const again = await viewer.restart();
    assert.equal(again.status, 200);
    assert.notEqual(again.etag, etag);
    const { pictures } = await viewer.pictures(PICTURES, before);
    assertPlays(pictures);
    await viewer.remove();
  });

  test("t27: DELETE ends a session, and a second one finds none", { timeout: 30_000 }, async () => {
    const viewer = await page.whep("opus", { id: "deleted" });
    await viewer.pictures(5);
    const session = await viewer.session();
    assert.equal((await fetch(session, { method: "DELETE" })).status, 200);
    assert.equal((await fetch(session, { method: "DELETE" })).status, 404);
    await until("the browser knows", async () => /failed|disconnected|closed/.test((await viewer.inbound()).connected));
    await viewer.remove();
  });

  test("who watches by a key that is taken away, or by a token that ends, is sent away and told why; who has another key goes on", { timeout: 60_000 }, async () => {
    const [admin, guest, friend] = await Promise.all([apiKey(), apiKey(), apiKey()]);
    const send = async (method, path, body) => {
      const headers = { "Content-Type": "application/json", Authorization: `Bearer ${admin.key}` };
      const answer = await fetch(`${lunette.http}/api/v1/${path}`, { method, headers, body: JSON.stringify(body) });
      assert.ok(answer.ok, `${answer.status}: ${await answer.clone().text()}`);
      return answer.json();
    };
    const change = (keys) => send("PATCH", "config/auth?force=true", { keys });
    await change({ admin: { hash: admin.hash, role: "admin" }, guest: { hash: guest.hash, role: "viewer" }, friend: { hash: friend.hash, role: "viewer" } });
    try {
      await assert.rejects(page.whep("opus", { id: "nobody" }), /401/);
      const { token } = await send("POST", "media-tokens", { stream: "opus", expires_in: 4 });
      const watch = async (id, token) => {
        const viewer = await page.whep("opus", { id, token, data: true });
        await viewer.pictures(5);
        return viewer;
      };
      const [leaves, ends, stays] = await Promise.all([watch("guest", guest.key), watch("signed", token), watch("friend", friend.key)]);
      await change({ guest: null });
      for (const viewer of [leaves, ends]) {
        await until("it is sent away", async () => (await viewer.told()).at(-1) === "closed", 20_000);
        assert.equal((await viewer.told()).at(-2), '{"type":"state","state":"ended","reason":"forbidden"}');
      }
      const from = (await stays.report()).pictures.length;
      assertPlays((await stays.pictures(25, from)).pictures);
      for (const viewer of [leaves, ends, stays]) await viewer.remove();
    } finally {
      await change({ admin: null, guest: null, friend: null });
    }
  });

  for (const [id, reason] of [["bframes", "b_frames"], ["hevc", "unsupported_codec"]]) {
    test(`a stream that WebRTC can't show here is refused with a reason: ${reason}`, { timeout: 30_000 }, async () => {
      await assert.rejects(page.whep(id), new RegExp(`422: .*"reason":"${reason}"`));
    });
  }

  test("the viewers that left are gone", { timeout: 30_000 }, async () => {
    await until("nobody is left", async () => {
      const { viewers } = await lunette.channel("alaw");
      const left = Array.isArray(viewers) ? viewers.length : Object.values(viewers ?? {}).reduce((sum, n) => sum + n, 0);
      return left === 0;
    });
  });

  test("a camera that restarts is shown again over the same connection, whose data channel says so, and closes with the stream", { timeout: 90_000 }, async () => {
    const viewer = await page.whep("alaw", { id: "survivor", data: true });
    const before = (await viewer.pictures(25)).pictures.length;
    await camera.kill();
    await until("the camera is missed", async () => (await lunette.channel("alaw")).state !== "live");
    await camera.up();
    const { pictures } = await viewer.pictures(before + PICTURES, 0, 60_000);
    assertPlays(pictures.slice(-50));
    assert.equal((await viewer.inbound()).connected, "connected");
    const told = (await viewer.told()).map((text) => JSON.parse(text));
    // Who is first asks for a camera that is being dialled.
    assert.equal(told.find(({ state }) => state !== "connecting").state, "live");
    const offline = told.find(({ state }) => state === "offline");
    assert.ok(offline?.reason && offline.message, JSON.stringify(told));
    assert.deepEqual(told.at(-1), { type: "state", state: "live" });
    // What RTSPtoWeb's players wait for.
    assert.ok((await fetch(`${lunette.http}/api/v1/streams/alaw`, { method: "DELETE" })).ok);
    await until("the data channel closes", async () => (await viewer.told()).at(-1) === "closed");
    assert.equal((await viewer.told()).at(-2), '{"type":"state","state":"ended","reason":"removed"}');
    await viewer.remove();
  });
});

/** The player as pages have it, with all its modes. */
const ALL = { modes: "webrtc,mse,hls" };

describe("the player", () => {
  let camera, lunette, unreachable, chromium, page;

  before(async () => {
    camera = await gstCamera({ files: FILES });
    const streams = Object.fromEntries(Object.keys(FILES).map((id) => [id, camera.url(id)]));
    lunette = await Lunette.start({ streams, tables: WEBRTC });
    // As behind a firewall: the only address that viewers are told leads nowhere.
    const nowhere = { webrtc: { listen: `${ADDRESS}:8556`, interfaces: ["none"], advertise: ["192.0.2.1"] } };
    unreachable = await Lunette.start({ streams, tables: nowhere });
    chromium = await launch("chromium");
    page = await Page.open(chromium, lunette);
  });
  after(async () => {
    await chromium?.close();
    await lunette?.stop();
    await unreachable?.stop();
  });

  test("plays by WebRTC, a fraction of a second behind live", { timeout: 60_000 }, async () => {
    // Of AAC, which WebRTC lacks, Opus is made.
    const player = await page.play("aac", ALL);
    const report = await player.pictures(PICTURES);
    assertPlays(report.pictures.slice(25));
    assert.equal(report.state, "live");
    assert.equal(report.stats.mode, "webrtc");
    assert.ok(report.stats.latencyMs < 500, JSON.stringify(report.stats));
    assert.equal(report.stats.codec, "H.264");
    await hearTone(player);
    await page.tab.evaluate(`document.querySelector("lunette-player").toggleAttribute("stats")`);
    const panel = await page.tab.evaluate(`document.querySelector("lunette-player").shadowRoot.querySelector(".stats").innerText`);
    for (const text of [/WebRTC, UDP/, /640x360/, /H\.264/, /Mbit\/s/, /\d ms/, /0\.0 %/]) assert.match(panel, text);
    await player.remove();
  });

  test("finds another way by itself when the one that it had is gone", { timeout: 60_000 }, async () => {
    const player = await page.play("alaw", ALL);
    const before = (await player.pictures(25)).pictures.length;
    const open = blockUdp(8555);
    try {
      const { pictures, stats } = await player.pictures(75, before, 30_000);
      assertPlays(pictures.slice(-50), { jumps: 3 });
      assert.deepEqual([stats.mode, stats.via, stats.reconnects], ["webrtc", "tcp", 0]);
    } finally {
      open();
    }
    await player.remove();
  });

  test("shows a camera that comes back, over the same connection or a new one", { timeout: 90_000 }, async () => {
    const player = await page.play("alaw", ALL);
    await player.pictures(25);
    await camera.kill();
    await player.state("offline", 30_000);
    await camera.up();
    await player.state("live", 40_000);
    const from = (await player.report()).pictures.length;
    // The first pictures of a camera that is back may come in a hurry.
    assertPlays((await player.pictures(100, from)).pictures.slice(50));
    await player.remove();
  });

  test("falls to MSE at once where there are B-frames", { timeout: 60_000 }, async () => {
    const player = await page.play("bframes", ALL);
    const report = await player.pictures(PICTURES);
    assertPlays(report.pictures.slice(25));
    assert.equal(report.stats.mode, "mse");
    await player.remove();
  });

  test("falls to MSE where UDP doesn't get through", { timeout: 60_000 }, async () => {
    const other = await Page.open(chromium, unreachable);
    const player = await other.play("opus", ALL);
    const report = await player.pictures(PICTURES, 0, 30_000);
    assert.equal(report.stats.mode, "mse");
    assert.ok(report.pictures[0].at - report.began < 15_000, "it waits for ICE a few seconds only");
    // The next one knows: that a way is blocked takes two seconds to find out.
    const next = await other.play("alaw", ALL);
    const { stats, ...at } = await next.pictures(1, 0, 30_000);
    assert.equal(stats.mode, "mse");
    assert.ok(at.pictures[0].at - at.began < 2_000, `${at.pictures[0].at - at.began} ms`);
    await other.close();
  });

  test("falls to MSE in Firefox, which has no H.264 here", { timeout: 60_000 }, async () => {
    const firefox = await launch("firefox");
    try {
      const other = await Page.open(firefox, lunette);
      const player = await other.play("opus", ALL);
      const report = await player.pictures(PICTURES, 0, 30_000);
      assert.equal(report.stats.mode, "mse");
    } finally {
      await firefox.close();
    }
  });
});

/** What a sum of the browser's grew by, for each picture that it shows. */
const each = (sum, before, after) => (after[sum] - before[sum]) / (after.jitterBufferEmittedCount - before.jitterBufferEmittedCount);

describe("on a bad line", () => {
  let camera, lunette, browser, page, far, relay;

  before(async () => {
    camera = await gstCamera({ files: { hd: "hd.mp4+tone.alaw" } });
    lunette = await Lunette.start({ streams: { hd: camera.url("hd") }, tables: WEBRTC, level: "debug" });
    browser = await launch("chromium");
    page = await WhepPage.open(browser, lunette);
  });
  after(async () => {
    await browser?.close();
    await lunette?.stop();
  });

  test("where no UDP gets through the picture comes by TCP", { timeout: 60_000 }, async () => {
    const open = blockUdp(8555);
    let viewer;
    try {
      viewer = await page.whep("hd", { id: "tcp" });
      const { pictures, began } = await viewer.pictures(100, 0, 30_000);
      assert.ok(pictures[0].at - began < 5_000, "nothing is waited for that can't come");
      assertPlays(pictures.slice(25));
      const { video, by } = await viewer.inbound();
      assert.equal(by, "tcp");
      assert.deepEqual([video.packetsLost, video.pliCount], [0, 0]);
    } finally {
      open();
    }
    await viewer.remove();
  });

  describe("behind a NAT", () => {
    let viewer;

    before(async () => {
      // Its UDP is reached by way of the relay alone.
      const webrtc = { listen: `${ADDRESS}:8556`, tcp: false, interfaces: ["none"], advertise: [OUTSIDE] };
      far = await Lunette.start({ streams: { hd: camera.url("hd") }, tables: { webrtc }, level: "debug" });
      relay = await Relay.open(OUTSIDE, 8556, ADDRESS);
    });
    after(async () => {
      await viewer?.remove();
      await far?.stop();
      relay?.close();
    });

    test("5 % of losses, 50 ms of jitter, disorder and duplicates break no picture and leave none out, from the handshake on", { timeout: 60_000 }, async () => {
      relay.set({ loss: 0.05, delay: 50, jitter: 50, twice: 0.01 });
      viewer = await (await WhepPage.open(browser, far)).whep("hd", { id: "lossy" });
      const before = (await viewer.pictures(125, 0, 30_000)).pictures.length;
      const { video: early } = await viewer.inbound();
      const { pictures } = await viewer.pictures(150, before, 30_000);
      assertPlays(pictures, { jumps: 3 });
      const { video } = await viewer.inbound();
      const asked = each("jitterBufferTargetDelay", early, video);
      assert.ok(asked > 0.16, `pictures are to be kept until what is lost comes again, and not for ${asked} s`);
      assert.ok(video.packetsLost > 0 && relay.counts.twice > 0, JSON.stringify(relay.counts));
      assert.ok(video.retransmittedPacketsReceived > 0, JSON.stringify(video));
      const metrics = await (await fetch(`${far.http}/metrics`)).text();
      const figure = (name) => Number(new RegExp(`^lunette_webrtc_${name}_total (\\d+)$`, "m").exec(metrics)[1]);
      const [sent, resent, lost, requests] = ["sent_packets", "resent_packets", "lost_packets", "keyframe_requests"].map(figure);
      const figures = JSON.stringify({ sent, resent, lost, requests, video });
      // What the server counts is what the browser got, and what the line lost of it, requests among them.
      assert.ok(resent >= video.retransmittedPacketsReceived && 0.85 * resent < video.retransmittedPacketsReceived + 50, figures);
      assert.ok(sent > video.packetsReceived && lost > 0 && Math.abs(requests - video.pliCount) < 3, figures);
      assert.doesNotMatch(far.log, /line is too slow/, "losses like these are no reason to leave pictures out");
    });

    test("where lost packets come again in time, pictures are kept for as long as that takes, and nothing halts", { timeout: 60_000 }, async () => {
      // In order, so that Chromium gets pictures of which it had to ask for nothing: it keeps none before (decision 29).
      relay.set({ loss: 0.05, delay: 50 });
      await span(4_000);
      const before = (await viewer.report()).pictures.length;
      const { video: early } = await viewer.inbound();
      assertPlays((await viewer.pictures(125, before, 30_000)).pictures, { jumps: 3 });
      const { video } = await viewer.inbound();
      const kept = each("jitterBufferDelay", early, video);
      assert.ok(kept > 0.16, `pictures are kept until what is lost comes again, and not for ${kept} s`);
      const freezes = video.freezeCount - early.freezeCount;
      assert.ok(freezes < 3, `nothing halts, but for ${freezes} times`);
    });

    test("a line that is dead for 5 s, and comes back with another address, costs no more than that", { timeout: 60_000 }, async () => {
      relay.set({ loss: 1 });
      await span(5_000);
      relay.rebind();
      relay.set();
      const from = (await viewer.report()).pictures.length;
      const { pictures } = await viewer.pictures(100, from, 15_000);
      assertPlays(pictures.slice(-50), { jumps: 2 });
      assert.equal((await viewer.inbound()).connected, "connected");
    });
  });

  test("a line narrower than the stream shows keyframes, whole ones, and all pictures once it is wide again", { timeout: 120_000 }, async () => {
    const viewer = await page.whep("hd", { id: "narrow" });
    await viewer.pictures(50);
    // The clip has 2 Mbit/s.
    const wide = narrow(8555, 1500);
    try {
      await until("keyframes alone are shown", async () => {
        const from = (await viewer.report()).pictures.length;
        await span(6_000);
        const { pictures } = await viewer.report(from);
        const read = pictures.filter((picture) => picture.stamp !== null).length;
        if (pictures.length > 0 && pictures.length < 30 && read === pictures.length) return true;
        throw new Error(`${pictures.length} pictures in 6 s, ${read} readable`);
      }, 40_000);
      assert.equal((await viewer.inbound()).connected, "connected");
    } finally {
      wide();
    }
    await until("all pictures are shown", async () => {
      const from = (await viewer.report()).pictures.length;
      await span(3_000);
      return (await viewer.report(from)).pictures.length > 60;
    }, 40_000);
    await viewer.remove();
  });
});
