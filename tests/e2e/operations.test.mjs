/** What whoever runs the server relies on: figures, health, the log, and an end without harm. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";

import { gstCamera, scriptedCamera } from "./lib/cameras.mjs";
import { BINARY, configFile, Lunette } from "./lib/lunette.mjs";
import { Child, NOBODY, ROOT, run, WORK } from "./lib/processes.mjs";
import { Viewer } from "./lib/viewer.mjs";
import { until } from "./lib/wait.mjs";

const PROMTOOL = existsSync(join(WORK, "promtool")) ? join(WORK, "promtool") : "promtool";
const CONFIG = join(ROOT, "config");

async function scrape(lunette, accept = "text/plain") {
  const response = await fetch(`${lunette.http}/metrics`, { headers: { accept } });
  assert.equal(response.status, 200);
  return response.text();
}

/** What promtool says of a scrape; nothing where all is well. */
function promtool(text) {
  const { status, stdout, stderr, error } = spawnSync(PROMTOOL, ["check", "metrics"], { input: text, encoding: "utf8" });
  if (error) throw error;
  return status === 0 ? stdout + stderr : `status ${status}: ${stdout}${stderr}`;
}

/** The names of all figures in a scrape, those that there is nothing of yet included. */
const names = (text) => new Set(text.match(/^(?!#)\w+|(?<=^# TYPE )\w+/gm));

/** The value of the one sample that begins so. */
const value = (text, sample) => Number(text.split("\n").find((line) => line.startsWith(sample))?.split(" ").at(-1));

/** The names of figures that an expression of PromQL asks for. */
const asked = (expression) => expression.match(/\b(?:lunette|process|tokio)_\w+/g);

describe("operations", { concurrency: 3 }, () => {
  test("promtool has nothing against the figures, and the dashboard and the alerts ask for no others", { timeout: 60_000 }, async () => {
    const camera = await gstCamera({ files: { cam: "small.mp4" } });
    const lunette = await Lunette.start({ streams: { cam: camera.url(), away: `rtsp://${NOBODY}/none` } });
    const viewer = new Viewer(lunette.mse("cam"));
    const lost = new Viewer(lunette.mse("away"));
    await viewer.frames(5);
    await fetch(`${lunette.http}/stream/cam/hls/live/index.m3u8`);
    const text = await until("there were two keyframes and a failure", async () => {
      const text = await scrape(lunette);
      return /keyframe_interval_seconds\{stream="cam"/.test(text) && /channel_failures_total\{stream="away".*reason="refused"\} [1-9]/.test(text) && text;
    });
    assert.equal(promtool(text), "");
    const known = names(text);
    const dashboard = JSON.parse(readFileSync(join(CONFIG, "grafana-dashboard.json"), "utf8"));
    const panels = dashboard.panels.flatMap((panel) => panel.targets ?? []).map((target) => target.expr);
    const variables = dashboard.templating.list.map((variable) => variable.definition ?? "");
    const alerts = readFileSync(join(CONFIG, "prometheus-alerts.yaml"), "utf8").match(/^ +expr: .*/gm);
    assert.ok(panels.length > 20 && alerts.length > 3);
    for (const expression of [...panels, ...variables.filter(Boolean), ...alerts]) {
      const figures = asked(expression) ?? [];
      assert.ok(figures.length > 0 || expression.includes("datasource"), expression);
      for (const name of figures) assert.ok(known.has(name), `${name} of "${expression.trim()}" is in no scrape`);
    }
    assert.match(await run(PROMTOOL, ["check", "rules", join(CONFIG, "prometheus-alerts.yaml")]), /SUCCESS/);
    assert.match(await scrape(lunette, "application/openmetrics-text"), /# UNIT lunette_channel_sent_bytes bytes\n[^]*# EOF\n$/);
    // What it says is true.
    assert.ok(value(text, 'lunette_channel_sent_bytes_total{stream="cam",channel="0",protocol="mse"}') > 1000);
    assert.equal(value(text, 'lunette_first_frame_seconds_count{protocol="mse"}'), 1);
    assert.equal(value(text, 'lunette_channel_viewers{stream="cam",channel="0",protocol="mse"}'), 1);
    const sent = value(text, 'lunette_channel_sent_frames_total{stream="cam",channel="0",protocol="mse"}');
    assert.ok(sent >= 5 && sent <= viewer.fragments.length + 50, `${sent} frames`);
    for (const one of [viewer, lost]) one.close();
    await lunette.stop();
  });

  test("a stop asked for is seen at /readyz at once, costs nobody anything while it drains, and ends camera sessions in order", { timeout: 60_000 }, async () => {
    const camera = await scriptedCamera();
    const lunette = await Lunette.start({ streams: { cam: camera.url("plain") }, tables: { server: { drain: "2s" } } });
    const viewer = new Viewer(lunette.mse("cam"));
    await viewer.frames(5);
    const ready = () => fetch(`${lunette.http}/readyz`);
    assert.equal((await ready()).status, 200);
    const stopped = lunette.stop();
    const answer = await until("it is not ready", async () => {
      const answer = await ready();
      return answer.status === 503 && answer;
    });
    assert.match((await answer.json()).detail, /stopping/);
    assert.equal((await fetch(`${lunette.http}/healthz`)).status, 200);
    assert.equal(value(await scrape(lunette), "lunette_ready"), 0);
    const late = new Viewer(lunette.mse("cam"));
    await late.frames(5);
    assert.equal(viewer.closed, undefined, "nobody was sent away yet");
    const playlist = fetch(`${lunette.http}/stream/cam/channel/0/hlsll/live/index.m3u8`);
    const { code, tookMs } = await stopped;
    assert.equal((await playlist).status, 200);
    assert.equal(code, 0);
    assert.ok(tookMs >= 2000 && tookMs < 9000, `${tookMs} ms`);
    for (const one of [viewer, late]) assert.deepEqual(await one.ended(), { code: 1001, reason: "the server shuts down" });
    await camera.child.says(/^teardown$/m);
  });

  test("a second signal ends it at once", { timeout: 30_000 }, async () => {
    const lunette = await Lunette.start({ tables: { server: { drain: "1h" } } });
    lunette.child.signal("SIGTERM");
    await until("it drains", async () => (await fetch(`${lunette.http}/readyz`)).status === 503);
    await until("it ends", () => (lunette.child.signal("SIGTERM"), lunette.child.ended), 10_000);
    assert.equal((await lunette.child.exited).code, 1);
  });

  test("health is told at once while cameras hang, refuse and send rubbish", { timeout: 60_000 }, async () => {
    const odd = await scriptedCamera();
    const rubbish = await scriptedCamera({ fault: "noise", good: 0.2, bad: 5 });
    const hung = await gstCamera({ files: { cam: "small.mp4" } });
    hung.freeze();
    const streams = { rubbish: rubbish.url("plain"), mute: odd.url("mute"), hung: hung.url(), away: `rtsp://${NOBODY}/none` };
    for (let n = 0; n < 40; n++) streams[`nowhere${n}`] = "rtsp://192.0.2.1/none";
    const lunette = await Lunette.start({ streams, defaults: { on_demand: false } });
    const times = [];
    for (let n = 0; n < 200; n++) {
      const began = performance.now();
      const answer = await fetch(`${lunette.http}/${n % 2 ? "readyz" : "healthz"}`);
      assert.equal(answer.status, 200);
      await answer.arrayBuffer();
      times.push(performance.now() - began);
    }
    // Of a busy machine's own pauses there is at most one in ten.
    const late = times.filter((time) => time > 50);
    assert.ok(late.length <= 20, `${late.length} of 200 took more than 50 ms, the longest ${Math.max(...times)} ms`);
    await lunette.stop();
    hung.thaw();
  });

  test("the log in JSON is one flat object a line, with the names that docs/deploy.md has", { timeout: 60_000 }, async () => {
    const camera = await gstCamera({ files: { cam: "small.mp4" } });
    const lunette = await Lunette.start({ streams: { cam: camera.url(), away: `rtsp://${NOBODY}/none` }, tables: { log: { format: "json" }, server: { drain: "100ms" } }, defaults: { linger: "0s" } });
    const viewer = new Viewer(lunette.mse("cam"));
    const lost = new Viewer(lunette.mse("away"));
    await viewer.frames(5);
    await until("the camera is known to be away", () => /channel_offline/.test(lunette.log));
    viewer.close();
    lost.close();
    await until("nobody watches", () => /channel_idle/.test(lunette.log) && lunette.log.match(/viewer_left/g)?.length === 2);
    await lunette.stop();
    const lines = lunette.log.split("\n").filter((line) => line.startsWith("{")).map((line) => JSON.parse(line));
    const of = (event) => lines.filter((line) => line.event === event);
    for (const line of lines) assert.ok(line.timestamp && line.level && line.target && line.message, JSON.stringify(line));
    const documented = readFileSync(join(ROOT, "docs/deploy.md"), "utf8");
    for (const event of new Set(lines.map((line) => line.event).filter(Boolean))) assert.match(documented, new RegExp(`\`${event}\``), event);
    for (const event of ["serving", "channel_live", "channel_offline", "channel_idle", "viewer_joined", "viewer_left", "draining", "stopping", "stopped"]) assert.ok(of(event).length > 0, event);
    const [offline] = of("channel_offline");
    assert.deepEqual([offline.stream, offline.channel, offline.reason], ["away", "0", "refused"]);
    const joined = of("viewer_joined").find((line) => line.stream === "cam");
    const left = of("viewer_left").find((line) => line.viewer === joined.viewer);
    assert.deepEqual([joined.channel, joined.protocol, joined.remote, left.stream, left.reason], ["0", "mse", "127.0.0.1", "cam", "left"]);
    assert.ok(left.bytes > 1000 && left.seconds >= 0, JSON.stringify(left));
  });

  test("the systemd unit is one that systemd takes and finds safe", { timeout: 30_000 }, async () => {
    const unit = join(mkdtempSync(join(WORK, "config-")), "lunette.service");
    writeFileSync(unit, readFileSync(join(CONFIG, "lunette.service"), "utf8").replaceAll("/usr/local/bin/lunette", BINARY));
    assert.equal(await run("systemd-analyze", ["verify", unit]), "");
    // 10 is no protection at all; below 2 is what the manual calls "OK".
    await run("systemd-analyze", ["security", "--offline=yes", "--threshold=20", unit]);
  });

  test("the examples for Kubernetes and Compose are what those take, and the configuration in them is good", { timeout: 60_000 }, async () => {
    const kubernetes = join(WORK, "kubernetes-validate-1.37.0/bin");
    await run(join(kubernetes, "kubernetes-validate"), ["--strict", join(CONFIG, "kubernetes.yaml")]);
    const yaml = async (file) => JSON.parse(await run(join(kubernetes, "python"), ["-c", "import json, sys, yaml; print(json.dumps(list(yaml.safe_load_all(open(sys.argv[1])))))", join(CONFIG, file)]));
    const objects = await yaml("kubernetes.yaml");
    const { data } = objects.find((object) => object.kind === "ConfigMap");
    const { stringData: env } = objects.find((object) => object.kind === "Secret");
    const configured = configFile(data["lunette.toml"]);
    assert.match(await run(BINARY, ["check", "--config", configured], { env }), /good; streams: 1/);
    await assert.rejects(run(BINARY, ["check", "--config", configured]), /FRONT_PASSWORD/, "without the Secret it says what is missing");
    const [{ services: { lunette } }] = await yaml("compose.yaml");
    const pod = objects.find((object) => object.kind === "Deployment").spec.template.spec.containers[0];
    for (const args of [lunette.command, pod.args]) {
      const known = args.map((arg) => (arg.startsWith("/") ? configFile('[server]\nlisten = "127.0.0.1:0"\n') : arg.replace(/^0\.0\.0\.0:.*/, "127.0.0.1:0")));
      const child = new Child(BINARY, known, { name: "example" });
      await child.says(/Lunette is at/);
      await child.stop();
    }
  });

  test("lunette healthcheck says by its status whether a server lives", { timeout: 20_000 }, async () => {
    const lunette = await Lunette.start({});
    const check = async (address) => (await new Child(BINARY, ["healthcheck", address], { name: "healthcheck" }).exited).code;
    assert.equal(await check(`127.0.0.1:${lunette.port}`), 0);
    await lunette.stop();
    assert.equal(await check(`127.0.0.1:${lunette.port}`), 1);
  });
});
