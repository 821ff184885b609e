#!/usr/bin/env node
/**
 * RTSP out: what many viewers cost, over TCP and UDP, and how far behind the camera they are. In a network of its own.
 *
 *     rtsp.mjs [viewers ...]
 */
import { alone } from "../e2e/lib/alone.mjs";

alone(import.meta);

const { join } = await import("node:path");
const { Lunette } = await import("../e2e/lib/lunette.mjs");
const { Child, freePort, run, TESTS } = await import("../e2e/lib/processes.mjs");
const { span } = await import("../e2e/lib/wait.mjs");

const PRODUCT = 0;
const OTHERS = 1;
const LOAD = join(TESTS, "load/target/release");
const SECONDS = Number(process.env.BENCH_SECONDS ?? 15);

const crowds = process.argv.slice(2).map(Number);
const camera = new Child(join(LOAD, "stampcam"), [], { name: "stampcam", core: OTHERS });
const [, port] = await camera.says(/^ready (\d+)/m);

for (const n of crowds.length ? crowds : [1, 200, 1000]) {
  for (const carrier of ["tcp", "udp"]) {
    const listen = `127.0.0.1:${await freePort()}`;
    const lunette = await Lunette.start({
      streams: { cam: `rtsp://127.0.0.1:${port}/cam` }, tables: { rtsp: { listen } }, defaults: { on_demand: false }, core: PRODUCT,
    });
    await span(11_000); // a whole GOP is there
    const args = [`rtsp://${listen}/cam`, "--n", n, "--secs", SECONDS, "--pid", lunette.child.pid, "--json", ...(carrier === "udp" ? ["--udp"] : [])];
    const seen = JSON.parse(await run(join(LOAD, "rtspload"), args, { core: OTHERS }));
    console.log([
      `RTSP over ${carrier}, ${n} viewers`.padEnd(34), `cpu ${seen.server_cpu_percent} % = ${seen.server_us_per_packet} us a packet`,
      `memory ${seen.server_kib_per_viewer} KiB each`, `out ${seen.mbit_per_s} Mbit/s`, `missing ${seen.missing}`,
      `delay ${seen.delay_p50_ms}/${seen.delay_p99_ms}/${seen.delay_max_ms} ms`, `join ${seen.join_p50_ms}/${seen.join_p95_ms} ms`,
      `failed ${seen.failed + n - seen.joined}`, `load ${seen.load_cpu_percent} %`,
    ].join("   "));
    if (seen.failures.length) console.log(`    ${seen.failures.join("\n    ")}`);
    await lunette.stop();
  }
}
await camera.kill();
process.exit();
