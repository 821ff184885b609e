/** Headless Chromium and headless Firefox behind one small face. */
import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { chromium } from "playwright-core";
import puppeteer from "puppeteer-core";

import { inPage } from "./page.mjs";
import { until } from "./wait.mjs";

export const CHROMIUM_ARGS = [
  "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
  "--disable-component-update", "--disable-sync", "--autoplay-policy=no-user-gesture-required",
  // Several pages play at once, and only one is in front.
  "--disable-renderer-backgrounding", "--disable-background-timer-throttling", "--disable-backgrounding-occluded-windows",
];

const FIREFOX_PREFERENCES = {
  "media.autoplay.default": 0,
  "media.autoplay.blocking_policy": 0,
  "app.update.enabled": false,
  "app.normandy.enabled": false,
  "browser.safebrowsing.downloads.enabled": false,
  "browser.safebrowsing.malware.enabled": false,
  "browser.safebrowsing.phishing.enabled": false,
  "datareporting.healthreport.uploadEnabled": false,
  "datareporting.policy.dataSubmissionEnabled": false,
  "dom.push.connection.enabled": false,
  "extensions.getAddons.cache.enabled": false,
  "network.captive-portal-service.enabled": false,
  "network.connectivity-service.enabled": false,
  "services.settings.server": "",
  "toolkit.telemetry.enabled": false,
};

/** Starts a browser: `chromium` or `firefox`. */
export async function launch(name) {
  if (name === "chromium") {
    return chromium.launch({ executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium", headless: true, args: CHROMIUM_ARGS });
  }
  return puppeteer.launch({
    browser: "firefox",
    executablePath: process.env.FIREFOX ?? "/usr/bin/firefox-esr",
    headless: true,
    userDataDir: mkdtempSync(join(tmpdir(), "lunette-firefox-")),
    extraPrefsFirefox: FIREFOX_PREFERENCES,
  });
}

/** A page on the product's own origin with our helpers and players of the test's choice. */
export class Page {
  /** Opens the product's front page as anybody would. */
  static async front(browser, lunette) {
    const page = new Page(await browser.newPage());
    await page.tab.goto(`${lunette.http}/`);
    // Both browsers take text: a function compiled here can't be sent by reference.
    await page.tab.evaluate(`(${inPage})(); undefined`);
    return page;
  }

  /** Opens the front page, takes its own content away, and keeps the player's script. */
  static async open(browser, lunette) {
    const page = await Page.front(browser, lunette);
    await page.tab.evaluate("document.body.replaceChildren(); undefined");
    await page.tab.evaluate("import('/player.js').then(() => customElements.whenDefined('lunette-player')).then(() => undefined)");
    return page;
  }

  console = [];

  constructor(tab) {
    this.tab = tab;
    tab.on("console", (message) => this.console.push(`${message.type()}: ${message.text()}`));
    tab.on("pageerror", (error) => this.console.push(`uncaught: ${error.message}`));
  }

  /** The player that the page itself brought. */
  async own(id) {
    await this.#watch(id, 'new lunetteTest.Watched(document.querySelector("lunette-player"))');
    return new Player(this, id);
  }

  /** Adds a player of stream `id`. */
  async play(id, attributes = {}) {
    const options = JSON.stringify({ muted: "", autoplay: "", modes: "mse,hls", ...attributes });
    await this.#watch(id, `lunetteTest.Watched.add("/stream/${id}", ${options})`);
    return new Player(this, id);
  }

  #watch(id, expression) {
    return this.tab.evaluate(`lunetteTest.watched[${JSON.stringify(id)}] = ${expression}; undefined`);
  }

  close() {
    return this.tab.close();
  }
}

/** A player in a page. */
export class Player {
  constructor(page, id) {
    this.page = page;
    this.id = id;
  }

  #call(expression) {
    return this.page.tab.evaluate(`lunetteTest.watched[${JSON.stringify(this.id)}].${expression}`);
  }

  /** See `Watched.report`. */
  report(from = 0) {
    return this.#call(`report(${from})`);
  }

  /** See `Watched.listen`; the clips' tone is 440 Hz. */
  listen(ms = 2000, hz = 440) {
    return this.#call(`listen(${ms}, ${hz})`);
  }

  /** Waits until `n` pictures were presented since the picture numbered `from`. */
  async pictures(n, from = 0, timeoutMs = 20_000) {
    let report;
    try {
      await until(`${n} pictures of ${this.id}`, async () => (report = await this.report(from)).pictures.length >= n, timeoutMs);
    } catch (error) {
      const { pictures, ...rest } = report ?? {};
      throw new Error(`${error.message}\n${pictures?.length} pictures; ${JSON.stringify(rest)}\n${this.page.console.slice(-10).join("\n")}`);
    }
    return report;
  }

  /** Waits until the player is in a state. */
  state(name, timeoutMs = 20_000) {
    return until(`${this.id} is ${name}`, async () => {
      const report = await this.report();
      return report.state === name && report;
    }, timeoutMs);
  }

  remove() {
    return this.#call("element.remove()");
  }
}
