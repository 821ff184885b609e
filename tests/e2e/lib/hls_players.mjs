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

/**
 * Runs in the page: keeps the last that was asked for, buffered and said by the player, and puts it aside where no picture is
 * presented for half a second: `window.trace.freezes`.
 */
function trace() {
  const KEPT = 600;
  const FREEZE_MS = 500;
  const AFTER_MS = 5000;
  const video = document.querySelector("video");
  const began = Date.now();
  const lines = [];
  const note = (what) => {
    lines.push(`${Date.now() - began} ${what}`);
    if (lines.length > KEPT) lines.shift();
  };
  const freezes = [];
  const say = (...words) => note(words.map((word) => (typeof word === "string" ? word : "")).join(" ").slice(0, 300));
  window.trace = { freezes, logger: { log: say, warn: say, error: say, info: say, debug: say, trace: say } };

  const open = XMLHttpRequest.prototype.open;
  XMLHttpRequest.prototype.open = function (method, url, ...rest) {
    const asked = Date.now();
    let first = 0;
    this.addEventListener("readystatechange", () => (first ||= this.readyState === 2 ? Date.now() : 0));
    this.addEventListener("loadend", () => note(`GET ${String(url).split("/").slice(-1)} ${this.status} first ${first - asked} all ${Date.now() - asked}`));
    return open.call(this, method, url, ...rest);
  };
  for (const name of ["waiting", "seeking", "seeked", "ratechange", "pause", "playing"]) {
    video.addEventListener(name, () => note(`${name} at ${video.currentTime.toFixed(3)} x${video.playbackRate}`));
  }

  let [ticked, presented, frozen] = [performance.now(), performance.now(), false];
  const seen = () => {
    [presented, frozen] = [performance.now(), false];
    video.requestVideoFrameCallback(seen);
  };
  video.requestVideoFrameCallback(seen);
  setInterval(() => {
    const now = performance.now();
    const ranges = Array.from({ length: video.buffered.length }, (_, i) => `${video.buffered.start(i).toFixed(3)}-${video.buffered.end(i).toFixed(3)}`);
    note(`tick ${(now - ticked).toFixed(0)} at ${video.currentTime.toFixed(3)} of ${ranges.slice(-3)} x${video.playbackRate} ready ${video.readyState} seen ${(now - presented).toFixed(0)} ago`);
    ticked = now;
    if (!frozen && now - presented > FREEZE_MS && freezes.length < 20) {
      frozen = true;
      setTimeout(() => freezes.push(lines.slice()), AFTER_MS);
    }
  }, 100);
}

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
      // As docs/hls.md has it for pages of one's own.
      const hls = new window.Hls({ lowLatencyMode: true, enableWorker: false, maxLiveSyncPlaybackRate: 1.2, liveSyncOnStallIncrease: 0.1, debug: window.trace?.logger ?? debug });
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

  /** Plays `src` with `lib` in a new page of `browser`; `log` gets what the player writes to the console; `traced` keeps what led to freezes. */
  async play(browser, lib, src, { log, traced } = {}) {
    const tab = await browser.newPage();
    if (log) tab.on("console", (message) => log(message.text()));
    await tab.goto(`${this.http}/${lib}`);
    await tab.evaluate(`(${inPage})(); undefined`);
    if (traced) await tab.evaluate(`(${trace})(); undefined`);
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

  /** What led to the freezes of a player that is `traced`. */
  freezes() {
    return this.tab.evaluate("window.trace?.freezes ?? []");
  }

  close() {
    return this.tab.close();
  }
}
