/** A viewer on a line a tenth as fast as the stream: it gets whole picture groups, and the others feel nothing. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";

import { gstCamera } from "./lib/cameras.mjs";
import { Lunette } from "./lib/lunette.mjs";
import { decode, save } from "./lib/parsers.mjs";
import { Child, TESTS } from "./lib/processes.mjs";
import { breaks, Viewer } from "./lib/viewer.mjs";
import { span } from "./lib/wait.mjs";

const FPS = 25;
/** A tenth of hd.mp4's 2 Mbit/s, in bytes a second. */
const RATE = 25_000;
const WATCH_MS = 45_000;

async function slowLink(port, rate) {
  const child = new Child(join(TESTS, "e2e/lib/slow_link.py"), [port, rate], { name: "slow_link" });
  const [, relayed] = await child.says(/^ready (\d+)/m);
  return { child, port: Number(relayed) };
}

test("a viewer at a tenth of the bitrate skips to key frames and costs the others nothing", { timeout: 150_000 }, async () => {
  const camera = await gstCamera({ files: { cam: "hd.mp4+tone.m4a" } });
  const lunette = await Lunette.start({ streams: { cam: camera.url() } });
  const fast = new Viewer(lunette.mse("cam"));
  await fast.frames(FPS);
  const rss = lunette.rssMib;
  const link = await slowLink(lunette.port, RATE);
  const slow = new Viewer(lunette.mse("cam").replace(`:${lunette.port}`, `:${link.port}`));
  await slow.frames(1);
  await span(WATCH_MS);

  const skips = slow.texts.filter((text) => text.type === "skipped");
  assert.ok(skips.length > 0, "it was told that it skipped");
  assert.ok(skips.every((skip) => skip.frames > 0));
  assert.equal(slow.closed, undefined, `it is still connected: ${JSON.stringify(slow.closed)}`);

  const frames = slow.of("video");
  for (const at of breaks(frames, slow.track("video").timescale, FPS)) {
    assert.ok(frames[at].sync, `after the gap before fragment ${at} comes a key frame`);
  }
  assert.ok(breaks(frames, slow.track("video").timescale, FPS).length > 0);
  for (const skip of slow.messages.filter((message) => message.text?.type === "skipped")) {
    const next = slow.messages.slice(slow.messages.indexOf(skip) + 1).find((message) => message.fragment);
    if (next) assert.ok(next.fragment.sync && next.fragment.track === slow.track("video").id, "the next fragment is a key frame");
  }
  const path = save("slow", slow.file());
  assert.doesNotMatch(await decode(path), /error|missing|concealing|Invalid/i);

  const all = fast.of("video");
  assert.deepEqual(breaks(all, fast.track("video").timescale, FPS), [], "the other viewer has every picture");
  assert.equal(fast.texts.filter((text) => text.type === "skipped").length, 0);
  const late = all.slice(FPS).map((f, i, rest) => (i ? f.at - rest[i - 1].at : 0));
  assert.ok(Math.max(...late) < 500, `the other viewer waited ${Math.max(...late)} ms for a picture`);
  assert.ok(lunette.rssMib - rss < 40, `memory grew from ${rss} to ${lunette.rssMib} MiB`);
  await lunette.stop();
});

test("a viewer that takes nothing for 10 s is dropped", { timeout: 90_000 }, async () => {
  const camera = await gstCamera({ files: { cam: "hd.mp4" } });
  const lunette = await Lunette.start({ streams: { cam: camera.url() } });
  const link = await slowLink(lunette.port, 50_000);
  const viewer = new Viewer(lunette.mse("cam").replace(`:${lunette.port}`, `:${link.port}`));
  await viewer.frames(1);
  link.child.signal("SIGSTOP");
  const begin = Date.now();
  for (;;) {
    const { viewers } = await lunette.channel("cam");
    if (viewers === 0) break;
    assert.ok(Date.now() - begin < 30_000, "the server still counts it as a viewer after 30 s");
    await span(500);
  }
  link.child.signal("SIGCONT");
  await lunette.stop();
});
