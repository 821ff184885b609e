/** The control plane: the API, the configuration that it and the file share, events and webhooks. */
import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { readFileSync, renameSync, statSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { join } from "node:path";
import { test } from "node:test";

import { gstCamera } from "./lib/cameras.mjs";
import { BINARY, configFile, Lunette } from "./lib/lunette.mjs";
import { Child, freePort, TESTS, WORK } from "./lib/processes.mjs";
import { Viewer } from "./lib/viewer.mjs";
import { until } from "./lib/wait.mjs";

/** From `make install-tests`. */
const SCHEMATHESIS = join(WORK, "python/bin/schemathesis");

/** Starts Lunette with a file of the test's own; returns it and the file's path. */
async function withFile(text) {
  const port = await freePort();
  const file = configFile(`[server]\nlisten = "127.0.0.1:${port}"\n${text}`);
  return { lunette: await Lunette.start({ port, args: () => ["--config", file] }), file };
}

/** Asks the API; a body is sent as JSON. */
async function ask(lunette, method, path, body, headers = {}) {
  const answer = await fetch(`${lunette.http}/api/v1/${path}`, {
    method,
    headers: body === undefined ? headers : { "content-type": "application/json", ...headers },
    body: body === undefined ? undefined : JSON.stringify(body),
  });
  const text = await answer.text();
  return { status: answer.status, headers: answer.headers, json: text ? JSON.parse(text) : null };
}

/** The channel `0` of a stream. */
const channel = async (lunette, id) => (await ask(lunette, "GET", `streams/${id}/channels/0/status`)).json;

/** Listens to events until `stop`; keeps `{ id, event, data }`. */
function listen(lunette, headers = {}, query = "") {
  const control = new AbortController();
  const events = [];
  const done = (async () => {
    const answer = await fetch(`${lunette.http}/api/v1/events${query}`, { headers, signal: control.signal });
    assert.equal(answer.headers.get("content-type"), "text/event-stream");
    events.open = true;
    let rest = "";
    for await (const chunk of answer.body.pipeThrough(new TextDecoderStream())) {
      rest += chunk;
      const blocks = rest.split("\n\n");
      rest = blocks.pop();
      for (const block of blocks) {
        const field = (name) => new RegExp(`^${name}: ?(.*)$`, "m").exec(block)?.[1];
        if (field("event")) events.push({ id: field("id"), event: field("event"), data: JSON.parse(field("data")) });
      }
    }
  })().catch((error) => control.signal.aborted || Promise.reject(error));
  return { events, stop: () => (control.abort(), done) };
}

test("every key of the file is changed under viewers: the others notice nothing, and those whose camera stays the same neither", { timeout: 120_000 }, async () => {
  const camera = await gstCamera({ files: { one: "small.mp4", two: "small.mp4" } });
  const streams = (door, defaults = "", log = "info") =>
    `[log]\nlevel = "${log}"\n[defaults]\n${defaults}\n[streams.other]\nurl = "${camera.url("one")}"\n[streams.door]\n${door}\n`;
  const url = `url = "${camera.url("two")}"`;
  const { lunette, file } = await withFile(streams(url));
  const head = readFileSync(file, "utf8").split("[log]")[0];
  const viewers = ["other", "door"].map((id) => new Viewer(lunette.mse(id)));
  await Promise.all(viewers.map((viewer) => viewer.frames(10)));
  const revision = async () => (await ask(lunette, "GET", "config")).json.revision;
  const put = async (text) => {
    const before = await revision();
    writeFileSync(`${file}.new`, head + text);
    renameSync(`${file}.new`, file);
    await until("the change is in force", async () => (await revision()) > before);
  };
  const defaults = ["linger = \"3s\"", "stall = \"7s\"", "on_demand = false", "ring.keep = \"2s\"", "ring.bytes = \"8MiB\""];
  // `stall` is the patience of the camera's session, so the session is another one; viewers stay.
  for (const line of defaults.filter((line) => !line.startsWith("stall"))) await put(streams(url, line));
  await put(streams(url, "", "debug"));
  await until("the log is more talkative", () => /level has changed/.test(lunette.log));
  for (const line of ["name = \"Door\"", "linger = \"1m\"", "on_demand = false", "ring.keep = \"3s\"", "ring.bytes = \"9MiB\""]) await put(streams(`${url}\n${line}`));
  for (const section of ["[hls]\nsegment = \"6s\"", "[metrics]\nmax_channels = 7", "[[webhooks]]\nurl = \"http://127.0.0.1:9/\"", "[server]\ndrain = \"2s\""]) {
    if (section.startsWith("[server]")) continue;
    await put(`${section}\n${streams(url)}`);
  }
  for (const id of ["other", "door"]) assert.equal((await channel(lunette, id)).counters.starts, 1, `${id} was dialled once`);
  const seen = viewers.map((viewer) => viewer.of("video").length);
  await Promise.all(viewers.map((viewer, n) => viewer.frames(seen[n] + 10)));
  for (const viewer of viewers) {
    assert.equal(viewer.closed, undefined);
    assert.equal(viewer.inits.length, 1, "nothing was announced anew");
    assert.ok(!viewer.texts.some(({ type, state }) => type === "state" && state === "offline"));
  }
  // Another camera: its own viewers stay, and the other stream does not notice.
  await put(streams(`url = "${camera.url("one")}"`));
  await until("the door is dialled anew", async () => (await channel(lunette, "door")).counters.starts === 2);
  const before = viewers.map((viewer) => viewer.fragments.length);
  await until("both go on", () => viewers.every((viewer, n) => viewer.fragments.length > before[n] + 10), 20_000);
  assert.deepEqual([viewers[0].closed, viewers[1].closed, (await channel(lunette, "other")).counters.starts], [undefined, undefined, 1]);
  await lunette.stop();
});

test("a hundred edits at once and a kill in the middle leave a whole file with every change that was acknowledged", { timeout: 60_000 }, async () => {
  const { lunette, file } = await withFile("# The owner's words.\n[streams.first]\nurl = \"rtsp://192.0.2.1/\" # stays\n");
  const acknowledged = [];
  const edits = Array.from({ length: 100 }, async (_, n) => {
    const { status, json } = await ask(lunette, "PUT", `streams/cam${n}`, { url: `rtsp://192.0.2.2/${n}` });
    assert.deepEqual([status, json.saved], [201, true]);
    acknowledged.push(`cam${n}`);
    if (acknowledged.length === 40) lunette.child.signal("SIGKILL");
  });
  const outcomes = await Promise.allSettled(edits);
  assert.ok(outcomes.some(({ status }) => status === "rejected"), "the kill came in the middle");
  const text = readFileSync(file, "utf8");
  assert.match(text, /# The owner's words\.\n\[streams\.first\]\nurl = "rtsp:\/\/192\.0\.2\.1\/" # stays\n/);
  assert.equal(statSync(file).mode & 0o777, 0o600);
  const check = new Child(BINARY, ["check", "--config", file], { name: "check" });
  assert.equal((await check.exited).code, 0, check.output);
  const again = await Lunette.start({ port: lunette.port, args: () => ["--config", file] });
  const ids = (await again.streams()).map(({ id }) => id);
  for (const id of acknowledged) assert.ok(ids.includes(id), `${id} was acknowledged`);
  await again.stop();
});

test("the file is followed through renames and SIGHUP; one that makes no sense changes nothing and is told", { timeout: 60_000 }, async () => {
  const { lunette, file } = await withFile("[streams.a]\nurl = \"rtsp://192.0.2.1/\"\n");
  const text = readFileSync(file, "utf8");
  const names = async () => (await lunette.streams()).map(({ id }) => id).join();
  const { events, stop } = listen(lunette, {}, "?types=config.*,stream.*");
  await until("it listens", () => events.open);
  writeFileSync(`${file}~`, text.replace("streams.a", "streams.b"));
  renameSync(`${file}~`, file);
  await until("b is there", async () => (await names()) === "b");
  writeFileSync(file, text.replace("url =", "urll ="));
  lunette.child.signal("SIGHUP");
  const bad = await until("it is told", async () => {
    const { json } = await ask(lunette, "GET", "config");
    return json.valid ? null : json;
  });
  assert.ok(bad.problems.some(({ key, message }) => key === "streams.a.urll" && /did you mean `url`/.test(message)), JSON.stringify(bad.problems));
  assert.equal(await names(), "b");
  assert.match(lunette.log, /there is no key `urll`/);
  writeFileSync(file, text);
  await until("a is back", async () => (await names()) === "a");
  await until("all was told", () => {
    const count = (kind) => events.filter(({ event }) => event === kind).length;
    return count("config.changed") === 2 && count("config.rejected") === 1 && count("stream.added") === 2;
  });
  assert.deepEqual(events.filter(({ event }) => event === "stream.added").map(({ data }) => data.stream), ["b", "a"]);
  await stop();
  await lunette.stop();
});

test("who watches is listed with address and bytes, and can be sent away; what happens is told, also to who was away", { timeout: 60_000 }, async () => {
  const camera = await gstCamera({ files: { cam: "small.mp4" } });
  const lunette = await Lunette.start({ streams: { cam: camera.url() } });
  const first = listen(lunette);
  await until("it listens", () => first.events.open);
  const [one, two] = [new Viewer(lunette.mse("cam")), new Viewer(lunette.mse("cam"), { legacy: true })];
  await Promise.all([one.frames(5), two.frames(5)]);
  const { json } = await ask(lunette, "GET", "viewers?stream=cam&protocol=mse");
  assert.equal(json.total, 2);
  for (const { remote, bytes, channel: id, since } of json.viewers) {
    assert.deepEqual([remote, id, bytes > 1000], ["127.0.0.1", "0", true]);
    assert.ok(Math.abs(Date.now() - Date.parse(since)) < 30_000, since);
  }
  const kinds = () => first.events.map(({ event }) => event);
  await until("all is told", () => kinds().includes("channel.live") && kinds().filter((kind) => kind === "viewer.joined").length === 2);
  const last = first.events.at(-1).id;
  await first.stop();
  assert.equal((await ask(lunette, "DELETE", `viewers/${json.viewers[0].id}`)).status, 204);
  const closed = await until("one is sent away", () => one.closed ?? two.closed);
  assert.equal(closed.code, 4004);
  const stays = one.closed ? two : one;
  await stays.frames(stays.of("video").length + 10);
  const second = listen(lunette, { "last-event-id": last });
  const left = await until("it is told what it missed", () => second.events.find(({ event }) => event === "viewer.left"));
  assert.equal(left.data.viewer.id, json.viewers[0].id);
  assert.ok(!second.events.some(({ event }) => event === "missed"));
  await second.stop();
  // A restart keeps the viewers.
  assert.equal((await ask(lunette, "POST", "streams/cam/restart")).status, 204);
  await until("the camera is dialled anew", async () => (await channel(lunette, "cam")).counters.starts === 2);
  await stays.frames(stays.of("video").length + 5);
  const { tracks } = await channel(lunette, "cam");
  assert.match(tracks[0].codec_string, /^avc1\./);
  await lunette.stop();
});

test("a webhook is signed, tried again, and gets what it asked for alone", { timeout: 60_000 }, async () => {
  const calls = [];
  const server = createServer(async (request, response) => {
    let body = "";
    for await (const chunk of request) body += chunk;
    calls.push({ headers: request.headers, body });
    response.writeHead(calls.length === 1 ? 500 : 204).end();
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  const hook = `http://127.0.0.1:${server.address().port}/hook`;
  const { lunette } = await withFile(`[[webhooks]]\nurl = "${hook}"\nsecret = "s3cret"\nevents = ["stream.*"]\n[streams.a]\nurl = "rtsp://192.0.2.1/"\n`);
  await ask(lunette, "PUT", "streams/b", { url: "rtsp://192.0.2.2/" });
  await until("it was tried twice", () => calls.length === 2, 20_000);
  assert.deepEqual(calls.map(({ headers }) => headers["lunette-delivery"]), Array(2).fill(calls[0].headers["lunette-delivery"]));
  for (const { headers, body } of calls) {
    const [, t, v1] = /^t=(\d+),v1=([0-9a-f]+)$/.exec(headers["lunette-signature"]);
    assert.equal(v1, createHmac("sha256", "s3cret").update(`${t}.${body}`).digest("hex"));
    assert.deepEqual([JSON.parse(body).type, JSON.parse(body).stream], ["stream.added", "b"]);
  }
  const { json } = await ask(lunette, "GET", "config");
  assert.equal(json.config.webhooks[0].secret, "***");
  assert.doesNotMatch(lunette.log, /s3cret/);
  await lunette.stop();
  server.close();
});

test("a camera is probed: what it offers, or why not", { timeout: 60_000 }, async () => {
  const camera = await gstCamera({ files: { cam: "small.mp4" } });
  const lunette = await Lunette.start({});
  const good = (await ask(lunette, "POST", "probe", { url: camera.url() })).json;
  assert.equal(good.ok, true);
  const video = good.tracks.find(({ kind }) => kind === "video");
  assert.deepEqual([video.codec, video.width > 0, /^avc1\./.test(video.codec_string)], ["H.264", true, true]);
  const bad = (await ask(lunette, "POST", "probe", { url: camera.url("nothing") })).json;
  assert.deepEqual([bad.ok, bad.reason], [false, "not_found"]);
  assert.equal((await lunette.streams()).some(({ id }) => id === "probe"), false, "nothing is kept of it");
  await lunette.stop();
});

test("without a file changes hold until the end, and the answer says so", { timeout: 30_000 }, async () => {
  const lunette = await Lunette.start({ args: (listen) => ["--listen", listen], env: { LUNETTE_LOG__LEVEL: "debug" } });
  const { status, json } = await ask(lunette, "PUT", "streams/b", { url: "rtsp://192.0.2.2/" });
  assert.deepEqual([status, json.saved], [201, false]);
  assert.match(json.message, /no configuration file/);
  assert.deepEqual((await lunette.streams()).map(({ id }) => id), ["demo", "b"]);
  assert.equal((await ask(lunette, "GET", "config")).json.config.log.level, "debug");
  await lunette.stop();
});

test("schemathesis finds nothing in the API that its own description does not say", { timeout: 120_000 }, async () => {
  const { lunette } = await withFile("[streams.front]\nname = \"Front\"\nurl = \"rtsp://127.0.0.1:9/\"\n");
  const seconds = process.env.SCHEMATHESIS_SECONDS ?? "35";
  // It leaves notes where it runs.
  const run = new Child("env", [
    "-C", WORK, SCHEMATHESIS,
    "--config-file", join(TESTS, "e2e/schemathesis.toml"), "run", `${lunette.http}/api/v1/openapi.json`,
    "--url", lunette.http, "--max-time", seconds, "--seed", "1",
  ], { name: "schemathesis", env: { NO_COLOR: "1" } });
  const { code } = await run.exited;
  await run.drained;
  assert.equal(code, 0, run.output.slice(-6000));
  assert.doesNotMatch(lunette.log, /panicked/);
  assert.equal((await ask(lunette, "GET", "status")).status, 200);
  await lunette.stop();
});
