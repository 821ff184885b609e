/** Players of HLS that nobody here wrote, each in a page of its own, on another origin than the product. */
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import { join } from "node:path";

import { inPage } from "./page.mjs";
import { TESTS } from "./processes.mjs";
import { until } from "./wait.mjs";

const SCRIPTS = {
  hlsjs: "hls.js/dist/hls.js",
  shaka: "shaka-player/dist/shaka-player.compiled.js",
  videojs: "video.js/dist/video.js",
  native: null,
};

/** The names of the players. */
export const PLAYERS = Object.keys(SCRIPTS);

/** Runs in the page: plays `src` with `lib`; what is seen is in `window.seen`. */
function play(lib, src, debug) {
  const video = document.querySelector("video");
  const seen = { pictures: [], stalls: 0, errors: [], began: Date.now() };
  const error = (what) => seen.errors.push(`${Date.now() - seen.began} ms: ${what}`);
  window.seen = seen;
  const presented = (_, { mediaTime }) => {
    seen.pictures.push({ at: Date.now(), stamp: window.lunetteTest.stamp(video), time: mediaTime, width: video.videoWidth });
    video.requestVideoFrameCallback(presented);
  };
  video.requestVideoFrameCallback(presented);
  video.addEventListener("waiting", () => (seen.stalls += seen.pictures.length > 0 ? 1 : 0));
  video.addEventListener("error", () => error(`element: ${video.error?.message}`));
  const start = {
    hlsjs() {
      // Settings with which it stays near live: out of the box it never catches up, and moves a second away with each stall.
      const hls = new window.Hls({ lowLatencyMode: true, maxLiveSyncPlaybackRate: 1.2, liveSyncOnStallIncrease: 0.1, debug });
      hls.on(window.Hls.Events.ERROR, (_, data) => error(`${data.fatal ? "fatal " : ""}${data.details} ${data.reason ?? ""}`));
      hls.loadSource(src);
      hls.attachMedia(video);
      window.player = hls;
    },
    async shaka() {
      const player = new window.shaka.Player();
      await player.attach(video);
      player.configure({ streaming: { lowLatencyMode: true } });
      player.addEventListener("error", (event) => error(`${event.detail.severity === 2 ? "fatal " : ""}${event.detail.code} ${event.detail.data}`));
      await player.load(src);
      window.player = player;
    },
    videojs() {
      if (debug) window.videojs.log.level("all");
      const player = window.videojs(video, { liveui: true, html5: { vhs: { overrideNative: true, llhls: true } } });
      player.on("error", () => error(`fatal ${player.error()?.message}`));
      player.src({ src, type: "application/vnd.apple.mpegurl" });
      window.player = player;
    },
    native() {
      video.src = src;
    },
  }[lib];
  Promise.resolve(start())
    .then(() => video.play())
    .catch((reason) => error(`fatal start: ${reason?.message ?? reason} ${reason?.code ?? ""}`));
}

/** Serves the pages; a process needs one. */
export class Pages {
  static async start() {
    const server = createServer((request, response) => {
      const lib = request.url.slice(1).split("?")[0];
      if (lib.endsWith(".script")) {
        const name = SCRIPTS[lib.replace(".script", "")];
        return response.setHeader("content-type", "text/javascript").end(name ? readFileSync(join(TESTS, "node_modules", name)) : "");
      }
      response.setHeader("content-type", "text/html");
      response.end(`<!doctype html><script src="/${lib}.script"></script><video muted autoplay crossorigin="anonymous" width="640" height="360"></video>`);
    });
    await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
    return new Pages(server);
  }

  constructor(server) {
    this.server = server;
    this.http = `http://127.0.0.1:${server.address().port}`;
  }

  /** Plays `src` with `lib` in a new page of `browser`; `log` gets what the player writes to the console. */
  async play(browser, lib, src, { log } = {}) {
    const tab = await browser.newPage();
    if (log) tab.on("console", (message) => log(message.text()));
    await tab.goto(`${this.http}/${lib}`);
    await tab.evaluate(`(${inPage})(); undefined`);
    await tab.evaluate(`(${play})(${JSON.stringify(lib)}, ${JSON.stringify(src)}, ${Boolean(log)}); undefined`);
    return new HlsPlayer(tab, lib);
  }

  stop() {
    this.server.close();
  }
}

/** A player in a page. */
export class HlsPlayer {
  constructor(tab, lib) {
    this.tab = tab;
    this.lib = lib;
  }

  /** What was seen; the pictures from index `from` on. */
  report(from = 0) {
    return this.tab.evaluate(`(() => { const video = document.querySelector("video"); return { ...seen, pictures: seen.pictures.slice(${from}),
      currentTime: video.currentTime, paused: video.paused, readyState: video.readyState,
      buffered: Array.from({ length: video.buffered.length }, (_, i) => [video.buffered.start(i), video.buffered.end(i)]),
      audioBytes: video.webkitAudioDecodedByteCount ?? null }; })()`);
  }

  /** Waits until `n` pictures were presented since the picture numbered `from`. */
  async pictures(n, from = 0, timeoutMs = 30_000) {
    let report;
    try {
      await until(`${n} pictures by ${this.lib}`, async () => (report = await this.report(from)).pictures.length >= n, timeoutMs);
    } catch (error) {
      const { pictures, ...rest } = report ?? {};
      throw new Error(`${error.message}\n${pictures?.length} pictures; ${JSON.stringify(rest)}`);
    }
    return report;
  }

  close() {
    return this.tab.close();
  }
}
