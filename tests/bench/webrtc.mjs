#!/usr/bin/env node
/**
 * WebRTC viewers of one camera of 2 Mbit/s with 10 s from key frame to key frame, and the bare loop with the same
 * packets at the same times; then viewers who come and go. In a network of its own.
 *
 *     webrtc.mjs [viewers ...] [cycles=N]
 */
import { alone } from "../e2e/lib/alone.mjs";

alone(import.meta);

const { join } = await import("node:path");
const { Lunette } = await import("../e2e/lib/lunette.mjs");
const { Child, run, TESTS, WORK } = await import("../e2e/lib/processes.mjs");
const { span } = await import("../e2e/lib/wait.mjs");

const PRODUCT = 0;
const OTHERS = 1;
const LOAD = join(TESTS, "load/target/release");
const SECONDS = Number(process.env.BENCH_SECONDS ?? 15);

const words = process.argv.slice(2);
const crowds = words.filter((word) => /^\d+$/.test(word)).map(Number);
const cycles = Number(words.find((word) => word.startsWith("cycles="))?.slice(7) ?? (crowds.length ? 0 : 10_000));

function row(what, figures) {
  console.log(`${what.padEnd(34)} ${Object.entries(figures).map(([name, value]) => `${name} ${value}`).join("   ")}`);
}

async function camera() {
  const child = new Child(join(LOAD, "stampcam"), [], { name: "stampcam", core: OTHERS });
  const [, port] = await child.says(/^ready (\d+)/m);
  return `rtsp://127.0.0.1:${port}/cam`;
}

const whepload = async (args) => JSON.parse(await run(join(LOAD, "whepload"), [...args, "--json"], { core: OTHERS }));

const ms = ({ p50_ms, p95_ms, max_ms }) => `${p50_ms}/${p95_ms}/${max_ms} ms`;

/** Viewers who stay, and the floor. */
async function crowd(url, n) {
  const lunette = await Lunette.start({ streams: { cam: url }, defaults: { on_demand: false }, core: PRODUCT });
  await span(11_000); // a whole GOP is there
  const record = join(WORK, "whep.rec");
  const args = [`${lunette.http}/stream/cam/whep`, "--n", n, "--secs", SECONDS, "--pid", lunette.child.pid, "--record", record];
  const seen = await whepload(args);
  row(`WebRTC, ${n} viewers`, {
    cpu: `${seen.server_cpu_percent} % = ${seen.server_us_per_packet} us a packet`, memory: `${seen.server_kib_per_viewer} KiB each`,
    out: `${seen.mbit_per_s} Mbit/s`, missing: seen.missing, delay: `${seen.delay_p50_ms}/${seen.delay_p99_ms}/${seen.delay_max_ms} ms`,
    failed: seen.failures.count + n - seen.joined, load: `${seen.load_cpu_percent} %`,
  });
  const { stages } = seen;
  row("  p50/p95/max", {
    answer: ms(stages.post_to_answer), connected: ms(stages.answer_to_connected), media: ms(stages.connected_to_media),
    picture: ms(stages.post_to_picture),
  });
  if (seen.failures.count) console.log(`    ${seen.failures.kinds.join("\n    ")}`);
  await lunette.stop();
  const sink = new Child(join(LOAD, "barertp"), ["sink"], { name: "sink", core: OTHERS });
  const [, port] = await sink.says(/^ready (\d+)/m);
  const bare = async (what, more) => {
    const serve = ["serve", "--file", record, "--n", n, "--port", port, "--bits", seen.key_bits, ...more];
    const floor = JSON.parse(await run(join(LOAD, "barertp"), serve, { core: PRODUCT }));
    row(`  bare loop${what}`, {
      cpu: `${floor.cpu_percent} % = ${floor.us_per_packet} us a packet`, ratio: (seen.server_us_per_packet / floor.us_per_packet).toFixed(2),
      refused: floor.refused,
    });
  };
  await bare("", []);
  if (process.env.BENCH_PARTS) {
    await bare(", without encryption", ["--plain"]);
    await bare(", without sends", ["--mute"]);
  }
  await sink.kill();
}

/** Viewers who come and go, well or badly. */
async function comings(url) {
  const lunette = await Lunette.start({ streams: { cam: url }, defaults: { on_demand: false }, core: PRODUCT });
  const tasks = async () => /^(?:lunette_)?tokio_tasks(?:\{[^}]*\})? (\d+)/m.exec(await (await fetch(`${lunette.http}/metrics`)).text())?.[1] ?? "?";
  for (const [way, n] of [["watches", cycles], ["mixed", Math.ceil(cycles / 5)]]) {
    const before = await tasks();
    const seen = await whepload([`${lunette.http}/stream/cam/whep`, "--cycles", n, "--way", way, "--pid", lunette.child.pid]);
    const at = (name) => seen.samples.map((sample) => sample[name]).join(" ");
    row(`${n} come and go (${way})`, {
      "a join": `${seen.server_cpu_ms_per_cycle} ms of CPU`, "got media": seen.got_media, failed: seen.failures.count, seconds: seen.seconds,
      connected: ms(seen.stages.answer_to_connected),
    });
    row("  from tenth to tenth", { "MiB": at("rss_mib"), files: at("files"), threads: at("threads") });
    if (seen.failures.count) console.log(`    ${seen.failures.kinds.join("\n    ")}`);
    await span(way === "mixed" ? 28_000 : 1000); // consent of those who vanished ends after 25 s
    row("  afterwards", { MiB: lunette.rssMib.toFixed(1), tasks: `${before} before, ${await tasks()} now` });
  }
  await lunette.stop();
}

const url = await camera();
for (const n of crowds.length ? crowds : [1, 50, 200, 500, 1000, 2000]) await crowd(url, n);
if (cycles) await comings(url);
process.exit();
