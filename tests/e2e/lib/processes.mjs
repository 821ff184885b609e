/** Children that die with the test, and free ports for them. */
import { spawn } from "node:child_process";
import { createWriteStream, mkdirSync } from "node:fs";
import { createServer } from "node:net";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

/** The `tests` folder. */
export const TESTS = join(dirname(fileURLToPath(import.meta.url)), "../..");
/** The repository. */
export const ROOT = join(TESTS, "..");
/** What tests write. */
export const WORK = join(TESTS, ".work");

const READY_MS = 30_000;
const SAY_POLL_MS = 20;
let children = 0;

/** Where nobody listens, ever: the port of a service that nobody runs, and that only root could. */
export const NOBODY = "127.0.0.1:1";
/** Below the ports that the kernel gives to those who ask for any. */
const PORTS = { from: 20_000, to: 32_000 };

/** A port of 127.0.0.1 that is free now, and that nobody gets who asks for any. */
export async function freePort() {
  for (;;) {
    const port = PORTS.from + Math.floor(Math.random() * (PORTS.to - PORTS.from));
    const isFree = await new Promise((resolve) => {
      const server = createServer().once("error", () => resolve(false));
      server.listen(port, "127.0.0.1", () => server.close(() => resolve(true)));
    });
    if (isFree) return port;
  }
}

/** A process that the kernel kills when this one dies. Its output goes to a file in .work/logs. */
export class Child {
  /** All that was written to stdout and stderr so far. */
  output = "";

  /** @param {{ name?: string, env?: object, core?: number }} options `core` pins it to one. */
  constructor(command, args, { name = "child", env = {}, core } = {}) {
    mkdirSync(join(WORK, "logs"), { recursive: true });
    this.name = name;
    this.logFile = join(WORK, "logs", `${name}.${process.pid}.${children++}.log`);
    const log = createWriteStream(this.logFile);
    const pinned = core === undefined ? [] : ["taskset", "-c", String(core)];
    this.process = spawn("setpriv", ["--pdeathsig", "KILL", ...pinned, command, ...args.map(String)], {
      env: { ...process.env, ...env },
      stdio: ["ignore", "pipe", "pipe"],
    });
    for (const stream of [this.process.stdout, this.process.stderr]) {
      stream.on("data", (chunk) => {
        log.write(chunk);
        this.output += chunk;
      });
    }
    this.exited = new Promise((resolve) => {
      this.process.on("exit", (code, signal) => resolve({ code, signal }));
      this.process.on("error", (error) => resolve({ error }));
    });
    this.exited.then((how) => (this.ended = how));
    /** Resolves when all that it wrote has been read, too. */
    this.drained = new Promise((resolve) => {
      this.process.on("close", resolve);
      this.process.on("error", resolve);
    });
  }

  get pid() {
    return this.process.pid;
  }

  /** Resolves with the match when the output holds `pattern`; rejects when the process ends before. */
  async says(pattern, timeoutMs = READY_MS) {
    const end = Date.now() + timeoutMs;
    for (;;) {
      const match = pattern.exec(this.output);
      if (match) return match;
      if (this.ended) throw new Error(`${this.name} ended (${JSON.stringify(this.ended)}):\n${this.output.slice(-2000)}`);
      if (Date.now() > end) throw new Error(`${this.name} did not say ${pattern}:\n${this.output.slice(-2000)}`);
      await Promise.race([this.exited, tick(SAY_POLL_MS)]);
    }
  }

  signal(name) {
    if (!this.ended) this.process.kill(name);
  }

  /** Ends it at once. */
  async kill() {
    this.signal("SIGKILL");
    return this.exited;
  }

  /** Asks it to end; kills it after `graceMs`. Returns how it ended and how long that took. */
  async stop(graceMs = 10_000) {
    const begin = Date.now();
    this.signal("SIGTERM");
    const timer = setTimeout(() => this.signal("SIGKILL"), graceMs);
    const how = await this.exited;
    clearTimeout(timer);
    return { ...how, tookMs: Date.now() - begin };
  }
}

const tick = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** Runs a command to its end; returns its output, or throws with it. */
export async function run(command, args, options = {}) {
  const child = new Child(command, args, { name: command.split("/").at(-1), ...options });
  const { code, error } = await child.exited;
  await child.drained;
  if (error) throw error;
  if (code !== 0) throw new Error(`${command} ${args.join(" ")}: exit ${code}\n${child.output.slice(-3000)}`);
  return child.output;
}
