/** The product: one process with a configuration of its own, on a free port. */
import assert from "node:assert/strict";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { request } from "node:https";
import { join } from "node:path";

import { Child, freePort, ROOT, WORK } from "./processes.mjs";
import { until } from "./wait.mjs";

/** The binary under test: `LUNETTE_BIN`, or what `make build` leaves. */
export const BINARY = process.env.LUNETTE_BIN ?? join(ROOT, "target/release/lunette");

/** A TOML value: every string, number, boolean and table that the tests need has JSON's form. */
function toml(tables) {
  return Object.entries(tables)
    .map(([name, keys]) => [`[${name}]`, ...Object.entries(keys).map(([k, v]) => `${k} = ${JSON.stringify(v)}`)].join("\n"))
    .join("\n\n");
}

export class Lunette {
  /**
   * Starts it and waits until it is healthy.
   * @param {object} options
   * @param {Record<string, string|object>} options.streams Stream id to URL, or to the keys of its table.
   * @param {object} options.defaults The keys of `[defaults]`.
   * @param {string} options.level The log's level.
   * @param {number} options.port A port of the test's choice.
   * @param {object} options.tables More tables of the configuration, or more keys of `server`, `log` and `defaults`.
   * @param {string} options.ca Whose certificates it serves TLS with: a PEM file.
   * @param {(listen: string) => string[]} options.args Instead of a configuration: the command line.
   */
  static async start({ streams = {}, defaults = {}, level = "info", tables: more = {}, ca, args, env, core, port } = {}) {
    if (!existsSync(BINARY)) throw new Error(`${BINARY} is not there: run make build, or set LUNETTE_BIN`);
    port ??= await freePort();
    const lunette = new Lunette(port, ca);
    const listen = `127.0.0.1:${port}`;
    const tables = { ...more, server: { listen, drain: "0s", ...more.server }, log: { level, ...more.log }, defaults: { ...defaults, ...more.defaults } };
    for (const [id, keys] of Object.entries(streams)) tables[`streams.${id}`] = typeof keys === "string" ? { url: keys } : keys;
    lunette.child = new Child(BINARY, args?.(listen) ?? ["--config", configFile(toml(tables))], { name: "lunette", env, core });
    await until("lunette is healthy", () => lunette.healthy());
    return lunette;
  }

  constructor(port, ca) {
    this.port = port;
    this.ca = ca && readFileSync(ca);
    this.http = `${ca ? "https" : "http"}://127.0.0.1:${port}`;
  }

  async healthy() {
    if (this.child.ended) throw new Error(`lunette ended: ${this.child.output.slice(-2000)}`);
    if (!this.ca) return (await fetch(`${this.http}/healthz`)).ok;
    return new Promise((resolve, reject) => {
      const asked = request(`${this.http}/healthz`, { ca: this.ca }, (answer) => resolve(answer.resume().statusCode === 200));
      asked.on("error", reject).end();
    });
  }

  /** The WebSocket URL of a stream, or of one of its channels. */
  mse(stream, channel) {
    const path = channel === undefined ? stream : `${stream}/channel/${channel}`;
    return `${this.http.replace("http", "ws")}/stream/${path}/mse`;
  }

  /** The API's list of streams. */
  async streams() {
    return (await (await fetch(`${this.http}/api/v1/streams`)).json()).streams;
  }

  /** The first channel of a stream as the API tells it. */
  async channel(id) {
    return (await this.streams()).find((stream) => stream.id === id)?.channels[0];
  }

  /** Everything it has logged. */
  get log() {
    return this.child.output;
  }

  /** Resident memory in MiB. */
  get rssMib() {
    return Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${this.child.pid}/status`, "utf8"))[1]) / 1024;
  }

  stop() {
    return this.child.stop();
  }
}

/** Writes a configuration into a folder of its own; returns its path. */
export function configFile(text) {
  mkdirSync(WORK, { recursive: true });
  const path = join(mkdtempSync(join(WORK, "config-")), "lunette.toml");
  writeFileSync(path, text, { mode: 0o600 });
  return path;
}

/** What `lunette` prints, given `input`. */
export async function cli(args, input = "") {
  const child = new Child("sh", ["-c", `printf %s "$INPUT" | "$0" "$@"`, BINARY, ...args], { name: "cli", env: { INPUT: input } });
  const { code } = await child.exited;
  await child.drained;
  assert.equal(code, 0, child.output);
  return child.output.trim();
}

/** A new API key, and its hash for the configuration. */
export async function apiKey() {
  const [, key, hash] = /key: +(\S+)\nhash: (\S+)/.exec(await cli(["token", "--api-key"]));
  return { key, hash };
}
