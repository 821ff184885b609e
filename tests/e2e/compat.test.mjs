/** A user of RTSPtoWeb starts this with the same config.json: clients written for that, and by others for that, go on. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { connect } from "node:net";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";

import { alone } from "./lib/alone.mjs";
import { launch } from "./lib/browsers.mjs";
import { gstCamera } from "./lib/cameras.mjs";
import { BINARY, Lunette } from "./lib/lunette.mjs";
import { ffprobe, save } from "./lib/parsers.mjs";
import { Child, freePort, TESTS, WORK } from "./lib/processes.mjs";
import { open, site } from "./lib/rtsptoweb.mjs";
import { Turnstile } from "./lib/turnstile.mjs";
import { until } from "./lib/wait.mjs";

alone(import.meta);

/** How often each of the four streams is added, edited twice, reloaded and deleted: a thousand is 20,000 changes. */
const ROUNDS = Number(process.env.LUNETTE_COMPAT_ROUNDS ?? 12);
const LOGIN = { authorization: `Basic ${btoa("demo:demo")}` };
const PYTHON = join(TESTS, ".work/home-assistant/bin/python");

describe("instead of RTSPtoWeb", () => {
  let camera, lunette, file, browser, page, dashboard;

  before(async () => {
    camera = await gstCamera({ files: { main: "main.mp4+tone.alaw", sub: "small.mp4" } });
    dashboard = await site();
    const port = await freePort();
    const directory = mkdtempSync(join(WORK, "config-"));
    file = join(directory, "config.json");
    const config = {
      server: { debug: true, http_demo: true, http_login: "demo", http_password: "demo", http_port: `:${port}`, rtsp_port: ":5541" },
      streams: {
        yard: { name: "Yard", channels: { 0: { url: camera.url("main"), on_demand: true, audio: true, status: 0 } } },
        pair: { name: "Pair", channels: { 0: { url: camera.url("main"), on_demand: true }, 1: { url: camera.url("sub"), on_demand: true } } },
      },
      lunette: { server: { allowed_origins: [dashboard.origin] } },
    };
    writeFileSync(file, JSON.stringify(config, null, 2));
    const env = { LUNETTE_COMPAT__RTSPTOWEBRTC: "true", LUNETTE_COMPAT__SAVE_DIR: join(directory, "save") };
    lunette = await Lunette.start({ port, args: () => [`-config=${file}`, "-debug=true"], env });
    browser = await launch("chromium");
    page = await open(browser, dashboard.origin);
  });
  after(async () => {
    await browser?.close();
    await lunette?.stop();
  });

  /** A control route as the one user calls it; returns the payload. */
  async function control(method, path, body) {
    const response = await fetch(`${lunette.http}${path}`, { method, headers: LOGIN, body: body && JSON.stringify(body) });
    const { status, payload } = await response.json();
    assert.equal(status, 1, `${method} ${path}: ${JSON.stringify(payload)}`);
    return payload;
  }

  test("clients of the MSE framing play, from their own codecs line on", { timeout: 30_000 }, async () => {
    for (const client of ["example", "zoneminder"]) await page.play(client, "mse", `${lunette.mse("yard", "0")}?uuid=yard&channel=0`, client);
    for (const client of ["example", "zoneminder"]) {
      const seen = await until(`two seconds are played by ${client}`, async () => {
        const seen = await page.seen(client);
        return seen.time > 2 && seen.frames > 30 && seen;
      });
      assert.match(seen.codecs, /^avc1\.[0-9A-F]{6},flac$/);
      assert.equal(seen.width, 640);
    }
    assert.equal((await control("GET", "/stream/yard/info")).channels[0].status, 1);
  });

  test("a client of the WebRTC POST plays, and its data channel closes when the stream goes, and not before", { timeout: 40_000 }, async () => {
    const url = camera.url("main");
    await control("POST", "/stream/gate/add", { name: "Gate", channels: { 0: { url, on_demand: true, audio: true } } });
    await page.play("webrtc", "webrtc", `${lunette.http}/stream/gate/channel/0/webrtc`);
    await until("it plays", async () => {
      const { frames, channel, width } = await page.seen("webrtc");
      return frames > 40 && channel === "open" && width === 640;
    });
    await control("GET", "/stream/gate/reload");
    const { frames } = await page.seen("webrtc");
    await until("it plays on after the reload", async () => (await page.seen("webrtc")).frames > frames + 40);
    assert.equal((await page.seen("webrtc")).channel, "open");
    await control("GET", "/stream/gate/delete");
    await until("it hears that the stream is gone", async () => (await page.seen("webrtc")).channel === "closed");
  });

  test("clients of the WebRTC POST play whatever they offer, and so does one of RTSPtoWebRTC, on pages of another origin", { timeout: 40_000 }, async () => {
    const post = ["example", "zoneminder", "magicmirror"];
    for (const client of post) await page.play(client, "webrtc", `${lunette.http}/stream/yard/channel/0/webrtc`, client);
    await page.play("codecs", "codecs", lunette.http, "yard");
    for (const client of [...post, "codecs"]) {
      await until(`${client} plays`, async () => {
        const { frames, width, channel } = await page.seen(client);
        return frames > 10 && width === 640 && (client === "codecs" || channel === "open");
      });
    }
    assert.equal((await page.seen("codecs")).codecs, 'text/plain; charset=utf-8 [{"Type":"video"},{"Type":"audio"}]');
  });

  test("a dashboard of an origin that is named lists streams, and others of no other origin do", { timeout: 20_000 }, async () => {
    assert.deepEqual(await page.list(lunette.http, "demo:demo"), ["pair", "yard"]);
    const other = await open(browser, dashboard.alias);
    assert.equal(await other.list(lunette.http, "demo:demo"), "TypeError");
    await other.tab.close();
  });

  test("the page of many streams is there in a frame of another site: sub streams, one enlarged, one heard, the unseen stopped", { timeout: 60_000 }, async () => {
    const tab = await browser.newPage();
    await tab.goto(`${dashboard.origin}/`);
    await tab.evaluate((src) => document.body.append(Object.assign(document.createElement("iframe"), { src, width: 900, height: 600 })), `${lunette.http}/pages/multiview/full?controls`);
    const frame = await until("the frame is there", () => tab.frames().find((frame) => frame.url() === `${lunette.http}/wall?controls`));
    const shown = () => frame.evaluate(() => [...document.querySelectorAll(".tile")].map((tile) => {
      const player = tile.querySelector("lunette-player");
      return [tile.ariaLabel, tile.hidden, player.state, player.stats().resolution, player.muted];
    }));
    const becomes = async (what, ...tiles) => {
      let seen;
      const same = until(what, async () => JSON.stringify((seen = await shown())) === JSON.stringify(tiles));
      await same.catch((error) => assert.deepEqual(seen, tiles, error.message));
    };
    await becomes("both play", ["Yard", false, "live", "640x360", true], ["Pair", false, "live", "320x180", true]);
    assert.equal(await frame.evaluate(() => [...document.querySelectorAll("#picker input:checked")].map(({ value }) => value).join()), "yard,pair");
    await frame.evaluate(() => document.querySelector(".tile:last-child").focus());
    for (const key of ["m", "ArrowLeft", "m", "ArrowRight", "Enter"]) await tab.keyboard.press(key);
    await becomes("one plays alone", ["Yard", true, "paused", "640x360", false], ["Pair", false, "live", "640x360", true]);
    await tab.keyboard.press("Escape");
    await becomes("both play again", ["Yard", false, "live", "640x360", false], ["Pair", false, "live", "320x180", true]);
    await frame.evaluate(() => document.querySelector('#picker input[value="pair"]').click());
    await becomes("one is chosen", ["Yard", false, "live", "640x360", false]);
    assert.equal(await frame.evaluate(() => location.search), "?streams=yard");
    await tab.close();
  });

  test("codecs are told, and HLS of both kinds is served", { timeout: 30_000 }, async () => {
    const [picture, sound] = await control("GET", "/stream/yard/channel/0/codec");
    assert.deepEqual([picture.SPSInfo.Width, picture.SPSInfo.Height, picture.SPSInfo.MbWidth], [640, 360, 40]);
    assert.equal(Buffer.from(picture.Record, "base64")[1], picture.SPSInfo.ProfileIdc);
    assert.deepEqual(sound, {});
    for (const kind of ["hls", "hlsll"]) {
      const response = await fetch(`${lunette.http}/stream/yard/channel/0/${kind}/live/index.m3u8`);
      assert.equal(response.status, 200);
      assert.match(await response.text(), /^#EXTM3U/);
    }
    const bookmark = await fetch(`${lunette.http}/pages/player/mse/yard/0`, { redirect: "manual" });
    assert.equal(bookmark.headers.get("location"), "/wall?streams=yard/0&modes=mse");
  });

  test("Home Assistant's client gets its answers over both APIs, and edits nothing twice", { timeout: 40_000 }, async () => {
    const offer = await page.offer();
    const ask = (server, kind) => {
      const script = join(fileURLToPath(new URL(".", import.meta.url)), "lib/ha_client.py");
      const { status, stdout, stderr } = spawnSync(PYTHON, [script, server, kind, "camera.gate", camera.url("main")], { input: offer, encoding: "utf8" });
      assert.equal(status, 0, stderr);
      assert.match(stdout, /^v=0\r\n[^]*a=candidate:/);
    };
    const revision = async () => (await (await fetch(`${lunette.http}/api/v1/config`, { headers: LOGIN })).json()).revision;
    const before = await revision();
    ask(lunette.http.replace("//", "//demo:demo@"), "web");
    assert.equal(await revision(), before + 1, "the stream was added, and not edited");
    // Without the login it is refused as RTSPtoWeb, and asks as it would ask RTSPtoWebRTC.
    ask(lunette.http, "webrtc");
  });

  test("a recording is begun, listed and downloaded by the one user alone", { timeout: 40_000 }, async () => {
    const base = `${lunette.http}/stream/yard/channel/0/save`;
    assert.equal((await fetch(`${base}/mp4/fragment/2s`)).status, 401);
    assert.equal(await (await fetch(`${base}/mp4/fragment/2s`, { headers: LOGIN })).text(), "await save started");
    await until("it is recorded", () => lunette.log.includes("recorded"));
    const { recordings } = await (await fetch(base, { headers: LOGIN })).json();
    assert.equal(recordings.length, 1);
    const bytes = Buffer.from(await (await fetch(`${base}/${recordings[0].name}`, { headers: LOGIN })).arrayBuffer());
    assert.equal(bytes.length, recordings[0].bytes);
    const { complaints, streams } = await ffprobe(save("recording", bytes));
    assert.equal(complaints, "");
    assert.deepEqual(streams.map((stream) => stream.codec_name), ["h264", "flac"]);
    assert.ok(Math.abs(Number(streams[0].nb_read_packets) - 50) <= 3, streams[0].nb_read_packets);
  });

  test("where a backend knows tokens, it is asked about every URL of media, and about recordings, in RTSPtoWeb's words", { timeout: 40_000 }, async () => {
    const asked = [];
    const backend = createServer(async (request, response) => {
      const question = JSON.parse(Buffer.concat(await request.toArray()).toString());
      asked.push(question);
      response.end(JSON.stringify({ status: question.token === "good" ? "1" : "0" }));
    });
    await new Promise((resolve) => backend.listen(0, "127.0.0.1", resolve));
    const port = await freePort();
    const guarded = join(mkdtempSync(join(WORK, "config-")), "config.json");
    const token = { enable: true, backend: `http://127.0.0.1:${backend.address().port}/` };
    const rtsp = `127.0.0.1:${await freePort()}`;
    const config = { server: { http_port: `127.0.0.1:${port}`, rtsp_port: rtsp, token }, streams: { yard: { channels: { 0: { url: camera.url("main"), on_demand: true } } } } };
    writeFileSync(guarded, JSON.stringify(config));
    const other = await Lunette.start({ port, args: () => ["--config", guarded], env: { LUNETTE_COMPAT__SAVE_DIR: join(guarded, "../save"), LUNETTE_WEBRTC__LISTEN: `127.0.0.1:${await freePort()}` } });
    const base = `${other.http}/stream/yard/channel/0`;
    const status = async (path, init) => (await fetch(`${base}/${path}`, init)).status;
    const form = { method: "POST", body: new URLSearchParams({ data: btoa(await page.offer()) }) };
    const media = ["hls/live/index.m3u8", "hls/live/media.m3u8", "hls/live/x/init-0.mp4", "hlsll/live/index.m3u8", "hlsll/live/media.m3u8", "mse", "state"];
    for (const path of [...media, "save", "save/x.mp4", "save/mp4/fragment/1s"]) assert.equal(await status(path), 401, path);
    // Whoever has guessed ten times has to wait, so not all.
    for (const path of ["hls/live/index.m3u8", "mse", "save/mp4/fragment/1s"]) assert.equal(await status(`${path}?token=bad`), 401, path);
    for (const query of ["", "?token=bad"]) assert.equal(await status(`webrtc${query}`, form), 401);
    assert.equal(await status("webrtc?token=good", form), 200);
    assert.equal(await status("save/mp4/fragment/1s?token=good"), 200);
    assert.equal(await status("mse?token=good"), 426);
    const describe = async (query) => {
      const [host, port] = rtsp.split(":");
      const socket = connect(Number(port), host, () => socket.write(`DESCRIBE rtsp://${rtsp}/yard/0${query} RTSP/1.0\r\nCSeq: 1\r\n\r\n`));
      const [answer] = await once(socket, "data");
      socket.destroy();
      return /^RTSP\/1.0 (\d+)/.exec(answer)?.[1];
    };
    assert.deepEqual([await describe(""), await describe("?token=bad"), await describe("?token=good")], ["401", "401", "200"]);
    const playlist = await fetch(`${base}/hlsll/live/index.m3u8?token=good`);
    assert.equal(playlist.status, 200);
    const [listed] = (await playlist.text()).split("\n").filter((line) => line && !line.startsWith("#"));
    assert.equal((await fetch(new URL(listed, playlist.url))).status, 200, "what it lists needs no other token");
    for (const question of asked) assert.deepEqual(Object.keys(question).filter((key) => key !== "token"), ["proto", "stream", "channel", "ip"]);
    assert.deepEqual(asked.find(({ token, proto }) => token === "good" && proto === "save"), { proto: "save", stream: "yard", channel: "0", token: "good", ip: "127.0.0.1" });
    assert.deepEqual([...new Set(asked.filter(({ token }) => token).map(({ proto }) => proto))].sort(), ["HLS", "RTSP", "WS", "WebRTC", "save"]);
    backend.close();
    await other.stop();
  });

  test("however streams come and go, a camera has one session of each, and the file says what there is", { timeout: 40_000 + ROUNDS * 3_000 }, async () => {
    const port = await freePort();
    const source = new Child(BINARY, ["demo-camera", "--listen", `127.0.0.1:${port}`], { name: "demo_camera" });
    await source.says(/demo camera is at/);
    const doors = await Promise.all([0, 1, 2, 3].map(() => Turnstile.before(port)));
    let changes = 0;
    const change = (...what) => (changes++, control(...what));
    const churn = async (door, n) => {
      const path = `/stream/churn${n}`;
      const stream = (name) => ({ name, channels: { 0: { url: door.url("demo"), on_demand: false } } });
      for (let round = 0; round < ROUNDS; round++) {
        await change("POST", `${path}/add`, stream("one"));
        await change("POST", `${path}/edit`, stream("two"));
        // Sometimes it has come up by now, and sometimes it is being dialled.
        if (round % 3 === 0) await until("the camera is live", async () => (await control("GET", `${path}/info`)).channels[0].status === 1);
        await change("GET", `${path}/reload`);
        await change("POST", `${path}/channel/0/edit`, stream("two").channels[0]);
        if (round + 1 < ROUNDS) await change("GET", `${path}/delete`);
      }
    };
    await Promise.all(doors.map(churn));
    // The last change may be about to close a session as the one before it says that the camera is live.
    await until("all cameras are live, over a session each", async () => {
      const all = await control("GET", "/streams");
      return doors.every(({ open }, n) => all[`churn${n}`].channels[0].status === 1 && open === 1);
    });
    assert.deepEqual(doors.map(({ most }) => most), [1, 1, 1, 1]);
    const all = (what) => doors.reduce((sum, door) => sum + door[what], 0);
    console.log(`${changes} changes, ${all("total")} sessions over ${all("connections")} connections, never two of a camera at once`);
    const written = JSON.parse(readFileSync(file, "utf8"));
    assert.deepEqual(written.streams.churn3, { name: "two", channels: { 0: { url: doors[3].url("demo"), on_demand: false } } });
    assert.deepEqual(written.streams.yard.channels[0], { url: camera.url("main"), on_demand: true, audio: true, status: 0 });
    assert.equal(written.server.rtsp_port, ":5541");
    assert.equal(statSync(file).mode & 0o777, 0o600);
    doors.forEach((door) => door.close());
    await source.kill();
  });
});
