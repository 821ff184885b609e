/** A cache in front of LL-HLS (docs/hls.md) carries the crowd: what reaches us does not grow with it. */
import assert from "node:assert/strict";
import { Agent, get } from "node:http";
import { after, before, describe, test } from "node:test";

import { nginx } from "./lib/caches.mjs";
import { gstCamera } from "./lib/cameras.mjs";
import { Lunette } from "./lib/lunette.mjs";
import { Proxy } from "./lib/proxy.mjs";

const PLAYERS = 100;
const ROUNDS = 8;

/** Gets `url` over a connection of the agent's. */
function fetched(url, agent) {
  return new Promise((resolve, reject) => {
    get(url, { agent }, (response) => {
      let text = "";
      response.setEncoding("latin1").on("data", (chunk) => (text += chunk));
      response.on("end", () => resolve({ status: response.statusCode, text }));
    }).on("error", reject);
  });
}

/** Plays at live: each playlist as soon as it is there, and its newest part. */
async function play(media, agent) {
  let query = "";
  for (let round = 0; round < ROUNDS; round++) {
    const { status, text } = await fetched(media + query, agent);
    assert.equal(status, 200, text);
    const first = Number(/MEDIA-SEQUENCE:(\d+)/.exec(text)[1]);
    const segments = text.split(/^#EXTINF.*\n.*$/m);
    const parts = [...segments.at(-1).matchAll(/#EXT-X-PART:.*URI="([^"]+)"/g)];
    query = `?_HLS_msn=${first + segments.length - 1}&_HLS_part=${parts.length}`;
    const newest = [...text.matchAll(/#EXT-X-PART:.*URI="([^"]+)"/g)].at(-1)[1];
    assert.equal((await fetched(new URL(newest, media), agent)).status, 200, newest);
  }
}

describe("a cache in front", () => {
  let camera, lunette, counter, cache;

  before(async () => {
    camera = await gstCamera({ files: { main: "main.mp4+tone.m4a" } });
    lunette = await Lunette.start({ streams: { main: camera.url("main") } });
    counter = await Proxy.start(lunette.http);
    cache = await nginx(new URL(counter.http).host);
  });
  after(async () => {
    await cache?.stop();
    counter?.stop();
    await lunette?.stop();
    await camera?.kill();
  });

  test(`nginx asks for each playlist and each part once, for ${PLAYERS} players`, async () => {
    const agent = new Agent({ keepAlive: true, maxSockets: Infinity });
    const index = `${cache.http}/stream/main/channel/0/hlsll/live/index.m3u8`;
    const { status, text } = await fetched(index, agent);
    assert.equal(status, 200, text);
    const media = new URL(text.split("\n").find((line) => line && !line.startsWith("#")), index).href;
    counter.paths.length = 0;
    await Promise.all(Array.from({ length: PLAYERS }, () => play(media, agent)));
    agent.destroy();
    const named = counter.paths.filter((path) => /_HLS_part|\.m4s/.test(path));
    assert.ok(named.length >= ROUNDS, `${named}`);
    assert.deepEqual(named.toSorted(), [...new Set(named)].toSorted(), "a playlist or part was asked for twice");
    // Asked without directives, a playlist is good for a second.
    assert.ok(counter.paths.length - named.length <= 2 + ROUNDS, `${counter.paths}`);
  });
});
