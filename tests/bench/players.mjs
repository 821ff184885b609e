#!/usr/bin/env node
/**
 * Stock players of LL-HLS beside each other for a while, at a camera that films the clock: how far behind the clock their pictures
 * are, how often they stall, and what they complain of. Not part of the continuous integration.
 *
 *     players.mjs [SECONDS] [PLAYER...]      600 s of hlsjs, shaka, videojs, native (Chromium's own) and ffmpeg
 */
import { writeFileSync } from "node:fs";
import { join } from "node:path";

import { launch } from "../e2e/lib/browsers.mjs";
import { clip, gstCamera } from "../e2e/lib/cameras.mjs";
import { Pages, PLAYERS } from "../e2e/lib/hls_players.mjs";
import { Lunette } from "../e2e/lib/lunette.mjs";
import { run, WORK } from "../e2e/lib/processes.mjs";
import { span } from "../e2e/lib/wait.mjs";

/** What a player needs to get going does not count. */
const SETTLING_MS = 10_000;
/** As long without a picture is a freeze. */
const FREEZE_MS = 500;
/** Between two that begin. */
const APART_MS = 3_000;

/** What led to each freeze is kept. */
const TRACED = process.env.TRACE === "1";

const [seconds = "600", ...named] = process.argv.slice(2);
const wanted = named.length > 0 ? named : [...PLAYERS, "ffmpeg"];
const percentile = (sorted, share) => sorted[Math.round((sorted.length - 1) * share)];

/** What `ffmpeg` makes of it: it ends by itself after so many seconds of media. */
async function ffmpeg(url) {
  const began = performance.now();
  try {
    await run("ffmpeg", ["-v", "error", "-xerror", "-t", seconds, "-i", url, "-f", "null", "-"]);
    return { took: `${((performance.now() - began) / 1000).toFixed(1)} s`, errors: 0 };
  } catch (error) {
    return { errors: error.message.slice(0, 200) };
  }
}

function judge({ pictures, stalls, errors }) {
  const settled = pictures.filter((picture) => picture.at - pictures[0].at > SETTLING_MS);
  if (settled.length === 0) return { pictures: pictures.length, stalls, errors };
  const behind = settled.filter((picture) => picture.stamp !== null).map((picture) => (picture.at - picture.stamp) % 2 ** 32);
  behind.sort((a, b) => a - b);
  const gaps = settled.slice(1).map((picture, i) => picture.at - settled[i].at);
  return {
    pictures: pictures.length, stalls, freezes: gaps.filter((gap) => gap > FREEZE_MS).length, longest: `${Math.max(...gaps)} ms`,
    p50: `${percentile(behind, 0.5)} ms`, p95: `${percentile(behind, 0.95)} ms`, errors,
  };
}

const camera = await gstCamera({ stamp: ["cam"], args: ["--size", "640x360", "--kbps", "1000", "--stamp-audio", clip("tone.m4a")] });
const lunette = await Lunette.start({ streams: { cam: camera.url() }, defaults: { on_demand: false } });
const url = `${lunette.http}/stream/cam/hlsll/live/index.m3u8`;
const pages = await Pages.start();
const browser = await launch("chromium");
// Two GOPs, so that it is known how far the keyframes are apart.
await span(SETTLING_MS);

const rows = {};
const reader = wanted.includes("ffmpeg") ? ffmpeg(url) : null;
const players = [];
for (const lib of wanted.filter((name) => name !== "ffmpeg")) {
  players.push(await pages.play(browser, lib, url, { traced: TRACED }));
  await span(APART_MS);
}
await span(Number(seconds) * 1000);
for (const player of players) {
  rows[player.lib] = judge(await player.report());
  for (const [place, lines] of (await player.freezes()).entries()) writeFileSync(join(WORK, `freeze-${player.lib}-${place}.txt`), lines.join("\n"));
}
if (reader) rows.ffmpeg = await reader;
for (const [name, figures] of Object.entries(rows)) console.log(name.padEnd(10), JSON.stringify(figures));
writeFileSync(join(WORK, "players.json"), JSON.stringify(rows, null, 2));
await browser.close();
pages.stop();
await lunette.stop();
await camera.kill();
process.exit();
