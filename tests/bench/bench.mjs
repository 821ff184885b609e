#!/usr/bin/env node
/**
 * Benchmarks of the whole binary. Each part prints rows `what: figures`; all go to .work/bench.json too.
 *
 *     bench.mjs [load] [webrtc] [rtsp] [hls] [idle] [join] [latency]
 */
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import { launch, Page } from "../e2e/lib/browsers.mjs";
import { nginx, varnish } from "../e2e/lib/caches.mjs";
import { gstCamera } from "../e2e/lib/cameras.mjs";
import { Lunette } from "../e2e/lib/lunette.mjs";
import { Child, run, TESTS, WORK } from "../e2e/lib/processes.mjs";
import { Viewer } from "../e2e/lib/viewer.mjs";
import { span, until } from "../e2e/lib/wait.mjs";

const PRODUCT = 0;
const OTHERS = 1;
const LOAD = join(TESTS, "load/target/release");

const rows = [];
function row(what, figures) {
  rows.push({ what, ...figures });
  console.log(`${what.padEnd(44)} ${Object.entries(figures).map(([name, value]) => `${name} ${value}`).join("   ")}`);
}

const percentile = (values, share) => values.toSorted((a, b) => a - b)[Math.round((values.length - 1) * share)];
const spread = (values) => ({ n: values.length, p50: `${percentile(values, 0.5)} ms`, p95: `${percentile(values, 0.95)} ms` });

/** CPU time of a process in s. */
function cpuSeconds(pid) {
  const fields = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1].split(" ");
  return (Number(fields[11]) + Number(fields[12])) / 100;
}

/** The share of a core that a process uses over `ms`, in percent. */
async function cpuPercent(pid, ms) {
  const [cpu, at] = [cpuSeconds(pid), performance.now()];
  await span(ms);
  return ((100_000 * (cpuSeconds(pid) - cpu)) / (performance.now() - at)).toFixed(1);
}

/** Many viewers of one camera, then the bare loop with the same bytes at the same times. */
async function load() {
  const camera = await gstCamera({ files: { hd: "hd.mp4+tone.m4a", main: "main.mp4+tone.m4a" }, core: OTHERS });
  const lunette = await Lunette.start({ streams: { hd: camera.url("hd"), main: camera.url("main") }, core: PRODUCT });
  for (const [stream, n, extra] of [["hd", 1], ["hd", 200], ["hd", 200, "--legacy"], ["main", 500], ["main", 1000]]) {
    const record = join(WORK, `${stream}.rec`);
    const args = [lunette.mse(stream), "--n", n, "--secs", 15, "--ramp", 100, "--pid", lunette.child.pid, "--record", record, "--json"];
    const seen = JSON.parse(await run(join(LOAD, "mseload"), [...args, ...(extra ? [extra] : [])], { core: OTHERS }));
    row(`MSE ${stream}, ${n} viewers${extra ? ", legacy framing" : ""}`, {
      cpu: `${seen.server_cpu_percent} %`, rss: `${seen.server_rss_mib} MiB`, out: `${seen.mbit_per_s} Mbit/s`,
      join: `${seen.join_p50_ms}/${seen.join_p95_ms} ms`, skipped: seen.skipped, failed: seen.failed + n - seen.joined,
      load: `${seen.load_cpu_percent} %`,
    });
    if (seen.failures.length) console.log(`    ${seen.failures.join("\n    ")}`);
    if (n > 1 && !extra) await bareLoop(stream, n, record);
  }
  await lunette.stop();
  await camera.kill();
}

async function bareLoop(stream, n, record) {
  const server = new Child(join(LOAD, "barefan"), ["serve", "--file", record, "--n", n], { name: "barefan", core: PRODUCT });
  const [, port] = await server.says(/^ready (\d+)/m);
  const sink = new Child(join(LOAD, "barefan"), ["sink", `127.0.0.1:${port}`, "--n", n], { name: "sink", core: OTHERS });
  const [json] = await server.says(/^\{.*\}$/m, 60_000);
  await sink.exited;
  const seen = JSON.parse(json);
  row(`  bare loop ${stream}, ${n} sockets`, { cpu: `${seen.server_cpu_percent} %`, rss: `${seen.server_rss_mib} MiB`, out: `${seen.mbit_per_s} Mbit/s` });
}

/** Many WebRTC viewers, in a network of their own: see webrtc.mjs, which prints. */
async function webrtc() {
  console.log((await run(process.execPath, [join(TESTS, "bench/webrtc.mjs")])).trimEnd());
}

/** Many RTSP viewers, in a network of their own: see rtsp.mjs, which prints. */
async function rtsp() {
  console.log((await run(process.execPath, [join(TESTS, "bench/rtsp.mjs")])).trimEnd());
}

/** Many players of LL-HLS: those who all wait for one part, those who play, and those who play through a cache. */
async function hls() {
  const camera = await gstCamera({ files: { main: "main.mp4+tone.m4a" }, core: OTHERS });
  // Who comes through a proxy that says so is no local user. All players have one address.
  const tables = { auth: { anonymous: ["watch"] }, server: { max_connections_per_address: 0 } };
  const lunette = await Lunette.start({ streams: { main: camera.url("main") }, tables });
  const crowd = async (what, http, args) => {
    const index = `${http}/stream/main/channel/0/hlsll/live/index.m3u8`;
    const seen = JSON.parse(await run(join(LOAD, "hlsload"), [index, "--secs", 15, "--ramp", 2000, "--pid", lunette.child.pid, "--json", ...args]));
    row(what, {
      requests: `${seen.requests_per_s} /s`, cpu: `${seen.server_cpu_percent} % = ${seen.server_us_per_request} us each`,
      spread: `${seen.spread_p50_ms}/${seen.spread_max_ms} ms`, memory: `${seen.server_kib_per_player} KiB each`,
      "from the cache": seen.cache_hits, failed: seen.failed, load: `${seen.load_cpu_percent} %`,
    });
    if (seen.failures.length) console.log(`    ${seen.failures.join("\n    ")}`);
  };
  await crowd("10,000 wait for the same part", lunette.http, ["--n", 10_000, "--held"]);
  await crowd("1,000 players, playlists and parts", lunette.http, ["--n", 1000, "--media"]);
  for (const cache of [nginx, varnish]) {
    if (cache === varnish && !existsSync("/usr/sbin/varnishd")) {
      console.log("varnish is not installed: not measured");
      continue;
    }
    const front = await cache(new URL(lunette.http).host);
    await crowd(`  through ${cache.name}`, front.http, ["--n", 1000, "--media"]);
    await front.stop();
  }
  await lunette.stop();
  await camera.kill();
}

/** Cameras that are always connected, without a viewer. */
async function idle() {
  const n = 100;
  const camera = await gstCamera({ files: { cam: "hd.mp4" }, args: ["--copies", n], core: OTHERS });
  const streams = Object.fromEntries(Array.from({ length: n }, (_, i) => [`cam${i}`, camera.url(`cam${i}`)]));
  const lunette = await Lunette.start({ streams, defaults: { on_demand: false }, core: PRODUCT });
  const isLive = (stream) => stream.channels[0].state === "live";
  await until(`${n} live cameras`, async () => (await lunette.streams()).every(isLive), 90_000);
  await span(5000);
  const cpu = await cpuPercent(lunette.child.pid, 20_000);
  row(`${n} cameras of 2 Mbit/s, no viewer`, { cpu: `${cpu} %`, rss: `${lunette.rssMib.toFixed(0)} MiB`, cameras: `${await cpuPercent(camera.child.pid, 2000)} %` });
  await lunette.stop();
  await camera.kill();
}

/** From setting `src` to the first presented picture, of a camera whose key frames are 10 s apart. */
async function firstPicture() {
  const camera = await gstCamera({ files: { cam: "hd_long_gop.mp4+tone.m4a" }, core: OTHERS });
  const lunette = await Lunette.start({ streams: { cam: camera.url() }, defaults: { on_demand: false }, core: PRODUCT });
  const warm = new Viewer(lunette.mse("cam"));
  await warm.frames(256);
  warm.close();
  const browser = await launch("chromium");
  const page = await Page.open(browser, lunette);
  const took = { picture: [], live: [] };
  for (let i = 0; i < 50; i++) {
    const player = await page.play("cam");
    await player.pictures(10);
    const { began, pictures, stats } = await player.report();
    took.picture.push(pictures[0].at - began);
    took.live.push(Math.round(stats.latencyMs ?? 0));
    await player.remove();
  }
  row("first picture, 10 s from key frame to key frame", spread(took.picture));
  row("  the player's own latency after 10 pictures", spread(took.live));
  await browser.close();
  await lunette.stop();
  await camera.kill();
}

/** How far behind the wall clock the presented pictures are, and how much of that is the camera's. */
async function latency() {
  for (const sound of [null, "tone.m4a"]) {
    const args = sound ? ["--stamp-audio", join(WORK, "clips", sound)] : [];
    const camera = await gstCamera({ files: {}, stamp: ["cam"], args, core: OTHERS });
    const own = (await run(join(TESTS, "bench/camera_latency.py"), [camera.url(), 8])).trim().split("\n").slice(25).map(Number);
    row(`camera alone${sound ? ", with sound" : ""}`, spread(own));
    const lunette = await Lunette.start({ streams: { cam: camera.url() }, core: PRODUCT });
    for (const name of ["chromium", "firefox"]) {
      const browser = await launch(name);
      const page = await Page.open(browser, lunette);
      const player = await page.play("cam");
      const { pictures, stats } = await player.pictures(25 * 25, 0, 60_000);
      const behind = pictures.slice(5 * 25).filter((p) => p.stamp !== null).map((p) => (p.at - p.stamp) % 2 ** 32);
      const share = percentile(own, 0.5);
      row(`glass to glass, ${name}${sound ? ", with sound" : ""}`, {
        ...spread(behind), "behind the camera": `${percentile(behind, 0.5) - share}/${percentile(behind, 0.95) - share} ms`,
        "player says": `${Math.round(stats.latencyMs)} ms`, dropped: stats.droppedFrames, stalls: stats.stalls,
      });
      await browser.close();
    }
    await lunette.stop();
    await camera.kill();
  }
}

const PARTS = { load, webrtc, rtsp, hls, idle, join: firstPicture, latency };
for (const name of process.argv.length > 2 ? process.argv.slice(2) : Object.keys(PARTS)) await PARTS[name]();
writeFileSync(join(WORK, "bench.json"), JSON.stringify(rows, null, 2));
process.exit();
