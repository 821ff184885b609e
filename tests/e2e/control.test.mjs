/** The control plane: the API, the configuration that it and the file share, events and webhooks. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { createHmac } from "node:crypto";
import { readFileSync, renameSync, statSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { connect } from "node:net";
import { join } from "node:path";
import { test } from "node:test";
import { connect as connectTls } from "node:tls";

import { gstCamera } from "./lib/cameras.mjs";
import { Authority } from "./lib/certificates.mjs";
import { BINARY, configFile, Lunette } from "./lib/lunette.mjs";
import { Child, freePort, run, TESTS, WORK } from "./lib/processes.mjs";
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

/** TOML of a configuration that is an object of tables. */
function toml(config) {
  const inline = (value) => {
    if (Array.isArray(value)) return `[${value.map(inline).join(", ")}]`;
    if (typeof value !== "object") return JSON.stringify(value);
    return `{ ${Object.entries(value).map(([key, value]) => `${JSON.stringify(key)} = ${inline(value)}`).join(", ")} }`;
  };
  const entries = (table) => Object.entries(table).map(([key, value]) => `${key} = ${inline(value)}\n`).join("");
  const lists = Object.fromEntries(Object.entries(config).filter(([, value]) => Array.isArray(value)));
  const tables = Object.entries(config).filter(([name]) => !(name in lists));
  return entries(lists) + tables.map(([name, table]) => `[${name}]\n${entries(table)}`).join("");
}

/** `base` with `more` in it. */
function merged(base, more) {
  const isTable = (value) => typeof value === "object" && !Array.isArray(value);
  const of = (key) => (isTable(more[key]) && isTable(base[key]) ? merged(base[key], more[key]) : more[key]);
  return { ...base, ...Object.fromEntries(Object.keys(more).map((key) => [key, of(key)])) };
}

/** `"a.b.c"` and a value: the object that has it there. */
const at = (path, value) => path.split(".").reduceRight((inner, key) => ({ [key]: inner }), value);

/** All keys of the configuration, from the description that is made of the structs; `*` stands for an id or a number. */
function keysOf(document) {
  const schemas = document.components.schemas;
  const keys = [];
  const walk = (schema, path) => {
    const resolved = schema.$ref ? schemas[schema.$ref.split("/").at(-1)] : schema;
    const one = resolved.oneOf?.find(({ type }) => type !== "null") ?? resolved.allOf?.[0];
    if (one && !resolved.enum && !resolved.properties) return walk(one, path);
    if (resolved.properties) for (const [key, inner] of Object.entries(resolved.properties)) walk(inner, [...path, key]);
    else if (typeof resolved.additionalProperties === "object") walk(resolved.additionalProperties, [...path, "*"]);
    else if (resolved.items?.$ref && schemas[resolved.items.$ref.split("/").at(-1)].properties) walk(resolved.items, [...path, "*"]);
    else keys.push(path.join("."));
  };
  walk(schemas.Config, []);
  return keys;
}

test("every key of the file is changed under viewers: who is not concerned notices nothing", { timeout: 180_000 }, async () => {
  const mounts = Object.fromEntries(["other", "door", "pair", "elsewhere"].map((mount) => [mount, "small.mp4"]));
  const [camera, authority] = await Promise.all([gstCamera({ files: mounts }), Authority.make("us")]);
  const { certificate, key } = await authority.sign("IP:127.0.0.1");
  const [urlFile, secretFile] = [join(authority.folder, "url"), join(authority.folder, "secret")];
  writeFileSync(urlFile, camera.url("other"));
  writeFileSync(secretFile, "secret");
  const [port, aside, plain, media] = await Promise.all([1, 2, 3, 4].map(freePort));
  const here = `127.0.0.1:${port}`;
  // What is true of all channels does not concern those that say it of themselves.
  const own = { stall: "10s", audio: true };
  const base = {
    server: { listen: here },
    auth: { anonymous: ["watch", "control", "metrics"] },
    streams: {
      other: { url: camera.url("other"), ...own },
      door: { url: camera.url("door") },
      pair: { channels: { main: { url: camera.url("pair") } } },
    },
  };
  const hash = execFileSync(BINARY, ["hash-password"], { input: "correct horse", encoding: "utf8" }).trim();
  const user = { password_hash: hash, role: "viewer" };
  const apiKey = { hash: `sha256:${"ab".repeat(32)}`, role: "viewer" };
  const jwt = { secret: "a secret of thirty-two characters" };
  const tls = { certificate, key };
  const acme = { domains: ["cameras.invalid"], directory: "https://127.0.0.1:9/", cache: join(authority.folder, "acme") };
  const hook = { url: "http://127.0.0.1:9/" };
  const get = (path) => fetch(`http://${here}${path}`);
  const json = async (path) => (await get(path)).json();
  /** A new connection is answered so to plain HTTP. */
  const hears = (wanted) => new Promise((resolve, reject) => {
    const socket = connect(port, "127.0.0.1", () => socket.write("GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"));
    socket.on("data", (data) => resolve(assert.ok(`${data}`.startsWith(wanted), `${data}`))).on("error", reject);
  });
  /** RTSP is spoken at `port`, over connections that `dial` makes. */
  const rtsp = (dial, port) => new Promise((resolve, reject) => {
    const socket = dial({ port, host: "127.0.0.1", ca: readFileSync(authority.file) }, () => socket.write("OPTIONS * RTSP/1.0\r\nCSeq: 1\r\n\r\n"));
    socket.on("data", (data) => (socket.destroy(), resolve(assert.match(`${data}`, /^RTSP\/1.0 200/)))).on("error", reject);
  });
  /** What a key is changed to. `with`: what it needs beside it. `dials`: whose camera is connected anew. `check`: what is so now. `away`: the API is elsewhere. */
  const rows = {
    "server.listen": { to: `127.0.0.2:${port}`, away: true, check: async () => assert.ok((await fetch(`http://127.0.0.2:${port}/healthz`)).ok) },
    "server.base_path": { to: "/cams", away: true, check: async () => assert.ok((await get("/cams/api/v1/version")).ok) },
    "server.trusted_proxies": { to: ["10.0.0.0/8"] },
    "server.max_connections_per_address": { to: 50 },
    "server.frame_ancestors": { to: ["https://a.example"], check: async () => assert.match((await get("/")).headers.get("content-security-policy"), /a\.example/) },
    "server.allowed_origins": { to: ["https://a.example"], check: async () =>
      assert.equal((await fetch(`http://${here}/api/v1/version`, { headers: { origin: "https://a.example" } })).headers.get("access-control-allow-origin"), "https://a.example") },
    "server.drain": { to: "0s" },
    "tls.listen": { to: `127.0.0.1:${aside}`, with: { tls } },
    "tls.certificate": { to: certificate, with: { tls }, away: true, check: () => hears("HTTP/1.1 400") },
    "tls.key": { to: key, with: { tls: { ...tls, listen: `127.0.0.1:${aside}` } } },
    "tls.redirect": { to: `127.0.0.1:${plain}`, with: { tls: { ...tls, listen: `127.0.0.1:${aside}` } },
      check: async () => assert.equal((await fetch(`http://127.0.0.1:${plain}/x`, { redirect: "manual" })).headers.get("location"), `https://127.0.0.1:${aside}/x`) },
    ...Object.fromEntries(Object.entries({ ...acme, email: "a@example.com", ca_file: authority.file }).map(([name, to]) =>
      [`tls.acme.${name}`, { to, with: { tls: { ...tls, listen: `127.0.0.1:${aside}`, acme } } }])),
    "tls.acme.challenge": { to: "http-01", with: { tls: { ...tls, listen: `127.0.0.1:${aside}`, redirect: `127.0.0.1:${plain}`, acme } } },
    "auth.anonymous": { to: ["control", "watch", "metrics", "publish"] },
    "auth.anonymous_lists": { to: false, away: true, check: async () => assert.equal((await get("/api/v1/streams")).status, 401) },
    "auth.signing_key": { to: "another key of thirty-two letters" },
    "auth.session": { to: "1h" },
    "auth.media_url": { to: "1h" },
    "auth.users.*.password_hash": { to: hash, with: { auth: { users: { ann: user } } } },
    "auth.users.*.role": { to: "admin", with: { auth: { users: { ann: user } } } },
    "auth.users.*.grants": { to: ["metrics"], with: { auth: { users: { ann: user } } } },
    "auth.keys.*.hash": { to: `sha256:${"cd".repeat(32)}`, with: { auth: { keys: { ann: apiKey } } } },
    "auth.keys.*.role": { to: "admin", with: { auth: { keys: { ann: apiKey } } } },
    "auth.keys.*.grants": { to: ["metrics"], with: { auth: { keys: { ann: apiKey } } } },
    "auth.jwt.secret": { to: jwt.secret },
    "auth.jwt.public_key_file": { to: certificate.replace(/\.pem$/, ".pub") },
    "auth.jwt.jwks_url": { to: "http://127.0.0.1:9/" },
    "auth.jwt.issuer": { to: "us", with: { auth: { jwt } } },
    "auth.jwt.audience": { to: "them", with: { auth: { jwt } } },
    "auth.jwt.leeway": { to: "5s", with: { auth: { jwt } } },
    "auth.jwt.claim": { to: "may", with: { auth: { jwt } } },
    "auth.token_backend.url": { to: "http://127.0.0.1:9/" },
    "auth.token_backend.timeout": { to: "2s" },
    "auth.token_backend.cache": { to: "2s" },
    "log.level": { to: "debug", check: () => until("the log is more talkative", () => /level has changed/.test(lunette.log)) },
    "log.format": { to: "json", check: () => until("a line is JSON", () => /^\{.*"the configuration has changed"/m.test(lunette.log)) },
    "metrics.max_channels": { to: 1, check: async () => assert.match(await (await get("/metrics")).text(), /^lunette_metrics_channels_cut 2$/m) },
    "hls.part": { to: "300ms" },
    "hls.segment": { to: "6s" },
    "hls.window": { to: "40s" },
    "hls.bytes": { to: "8MiB" },
    "hls.max_blocked": { to: 7 },
    "hls.idle": { to: "5s" },
    "hls.always": { to: true, check: () => until("all are packaged", async () => (await json("/api/v1/viewers?protocol=hls")).total === 3) },
    "webrtc.listen": { to: `127.0.0.1:${aside}`, restart: "webrtc" },
    "webrtc.tcp": { to: false, restart: "webrtc" },
    "webrtc.advertise": { to: ["192.0.2.1"] },
    "webrtc.interfaces": { to: ["lo"] },
    "webrtc.networks": { to: ["127.0.0.0/8"] },
    ...Object.fromEntries(["url", "username", "credential"].map((name) => [`webrtc.ice_servers.*.${name}`,
      { path: "webrtc.ice_servers", to: [{ url: "turn:turn.example.org", username: "us", credential: "secret" }] }])),
    "compat.rtsptoweb": { to: true, check: async () => assert.ok((await get("/streams")).ok) },
    "compat.rtsptowebrtc": { to: true, check: async () => assert.deepEqual([(await get("/static")).status, (await get("/streams")).status], [200, 404]) },
    "compat.change_by_get": { to: false },
    "compat.save_dir": { to: authority.folder },
    "compat.save_longest": { to: "2h" },
    "compat.save_bytes": { to: "1GiB" },
    "rtsp.enable": { to: false, with: { rtsp: { listen: `127.0.0.1:${media}` } }, check: () => assert.rejects(rtsp(connect, media)) },
    "rtsp.listen": { to: `127.0.0.1:${media}`, check: () => rtsp(connect, media) },
    "rtsp.tls_listen": { to: `127.0.0.1:${aside}`, with: { tls: { ...tls, listen: `127.0.0.1:${plain}` } }, check: () => rtsp(connectTls, aside) },
    "rtsp.transports": { to: ["tcp"] },
    "rtsp.udp_port": { to: 20002 },
    "rtsp.timeout": { to: "30s" },
    "rtsp.max_connections": { to: 9 },
    "webhooks.*.url": { list: { ...hook, url: "http://127.0.0.1:9/other" } },
    "webhooks.*.secret": { list: { ...hook, secret: "secret" } },
    "webhooks.*.secret_file": { list: { ...hook, secret_file: secretFile } },
    "webhooks.*.events": { list: { ...hook, events: ["stream.*"] } },
  };
  /** The keys of a camera, wherever they stand. What has another file, name or transport is another session. */
  const encrypted = { url: "rtsps://127.0.0.1:9/" };
  const dialled = {
    username: { to: "somebody", also: { password: "secret" } }, password: { to: "another", also: { username: "somebody" } },
    password_file: { to: secretFile, also: { username: "somebody" } }, transport: { to: "tcp" },
    "tls.insecure_skip_verify": { to: true, also: encrypted }, "tls.ca_file": { to: authority.file, also: encrypted },
  };
  const policy = {
    on_demand: { to: false }, linger: { to: "1m" }, "ring.keep": { to: "2s" }, "ring.bytes": { to: "8MiB" },
    stall: { to: "7s", dials: true }, audio: { to: false, dials: true },
  };
  const fill = (path, who, keys) => {
    for (const [name, { to, also, dials }] of Object.entries(keys)) {
      rows[`${path.replace(/door|pair|main/g, "*")}.${name}`] = { path: `${path}.${name}`, to, with: also && at(path, also), dials: dials ? who : [] };
    }
  };
  const always = (keys) => Object.fromEntries(Object.entries(keys).map(([name, row]) => [name, { ...row, dials: true }]));
  fill("defaults", ["door", "pair"], policy);
  fill("streams.door", ["door"], { ...policy, ...always(dialled), name: { to: "Door" }, url: { to: camera.url("elsewhere"), dials: true } });
  fill("streams.pair.channels.main", ["pair"], { ...policy, ...always(dialled), name: { to: "Main" }, url: { to: camera.url("elsewhere"), dials: true } });
  rows["streams.*.url_file"] = { whole: { streams: { ...base.streams, door: { url_file: urlFile } } }, dials: ["door"] };
  rows["streams.*.channels.*.url_file"] = { whole: { streams: { ...base.streams, pair: { channels: { main: { url_file: urlFile } } } } }, dials: ["pair"] };
  await run("openssl", ["x509", "-in", certificate, "-pubkey", "-noout", "-out", rows["auth.jwt.public_key_file"].to]);

  const file = configFile(toml(base));
  const lunette = await Lunette.start({ port, args: () => ["--config", file] });
  const keys = keysOf(await json("/api/v1/openapi.json"));
  assert.ok(keys.length > 90, `${keys.length} keys`);
  const missing = keys.filter((key) => !(key in rows));
  assert.deepEqual(missing, [], "a new key needs a row here: what it is changed to, and whom that concerns");

  const viewers = { other: new Viewer(lunette.mse("other")), door: new Viewer(lunette.mse("door")), pair: new Viewer(lunette.mse("pair")) };
  await Promise.all(Object.values(viewers).map((viewer) => viewer.frames(5)));
  const changes = () => lunette.log.split("the configuration has changed").length;
  const put = async (config, what) => {
    const before = changes();
    writeFileSync(`${file}.new`, toml(config));
    renameSync(`${file}.new`, file);
    lunette.child.signal("SIGHUP");
    await until(`${what} is in force`, () => {
      assert.doesNotMatch(lunette.log.slice(-3000), /the configuration stays as it was/, what);
      return changes() > before;
    });
  };
  const starts = async () => Object.fromEntries((await lunette.streams()).map(({ id, channels: [{ counters }] }) => [id, counters.starts]));
  let last = { dials: [], away: false };
  for (const name of keys) {
    const { path, to, with: beside = {}, list, whole, check, away = false, restart } = rows[name];
    // The key before is what it was again.
    const dials = [...new Set([...last.dials, ...(rows[name].dials ?? [])])];
    const value = at((path ?? name).replace("*", "ann"), to);
    const config = list ? { ...base, webhooks: [list] } : whole ? { ...base, ...whole } : merged(merged(base, beside), value);
    if (last.away || toml(config) === last.text) await put(base, "what was before");
    const before = await starts();
    await put(config, name);
    await check?.();
    if (dials.length) await until(`${dials} are dialled for ${name}`, async () => {
      const now = await starts();
      return dials.every((id) => now[id] > before[id]);
    });
    if (!away) {
      const told = (await json("/api/v1/config")).restart_needed;
      assert.deepEqual(told, restart ? [restart] : [], name);
      const after = await starts();
      for (const [id, count] of Object.entries(after)) assert.equal(count > before[id], dials.includes(id), `${name}: ${id} was dialled ${count - before[id]} times`);
    }
    last = { dials: rows[name].dials ?? [], away, text: toml(config) };
    for (const [id, viewer] of Object.entries(viewers)) assert.equal(viewer.closed, undefined, `${name}: who watches ${id} stays`);
  }
  await put(base, "what was before");
  const { other } = viewers;
  const seen = other.of("video").length;
  await other.frames(seen + 10);
  assert.equal((await starts()).other, 1, "nothing concerned it");
  assert.equal(other.inits.length, 1, "nothing was announced anew");
  assert.ok(!other.texts.some(({ type, state }) => type === "state" && state === "offline"));
  const before = Object.values(viewers).map((viewer) => viewer.fragments.length);
  await until("all go on", () => Object.values(viewers).every((viewer, n) => viewer.fragments.length > before[n] + 10), 20_000);
  // An address that is taken: all stays as it was, and it is told which.
  const taken = createServer();
  await new Promise((resolve) => taken.listen(0, "127.0.0.1", resolve));
  writeFileSync(file, toml(merged(base, at("server.listen", `127.0.0.1:${taken.address().port}`))));
  lunette.child.signal("SIGHUP");
  const told = await until("it is told", async () => (await json("/api/v1/config")).problems[0]);
  assert.equal(told.key, "server.listen");
  assert.match(told.message, /in use/);
  taken.close();
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
  const vain = async (section, body) => (await ask(lunette, "PATCH", `config/${section}`, body)).json.errors[0];
  const listens = await vain("server", { listen: "127.0.0.1:9" });
  assert.deepEqual([listens.pointer, /comes from `--listen` of the command line, which counts more/.test(listens.detail)], ["/listen", true]);
  assert.match((await vain("log", { level: "warn" })).detail, /LUNETTE_LOG__LEVEL/);
  const { status, json } = await ask(lunette, "PUT", "streams/b", { url: "rtsp://192.0.2.2/" });
  assert.deepEqual([status, json.saved], [201, false]);
  assert.match(json.message, /no configuration file/);
  assert.deepEqual((await lunette.streams()).map(({ id }) => id), ["demo", "b"]);
  assert.equal((await ask(lunette, "GET", "config")).json.config.log.level, "debug");
  await lunette.stop();
});

test("schemathesis finds nothing in the API that its own description does not say", { timeout: 120_000 }, async () => {
  const { lunette } = await withFile("[streams.front]\nname = \"Front\"\nurl = \"rtsp://127.0.0.1:9/\"\n");
  const seconds = process.env.SCHEMATHESIS_SECONDS ?? "25";
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
