/** Who may do what, as real clients find it. */
import assert from "node:assert/strict";
import { createHmac, generateKeyPairSync, sign } from "node:crypto";
import { createServer } from "node:http";
import { connect } from "node:net";
import { after, before, test } from "node:test";

import { launch, Page } from "./lib/browsers.mjs";
import { gstCamera } from "./lib/cameras.mjs";
import { apiKey, BINARY, cli, configFile, Lunette } from "./lib/lunette.mjs";
import { Child, freePort, run } from "./lib/processes.mjs";
import { Viewer } from "./lib/viewer.mjs";
import { span, until } from "./lib/wait.mjs";

const SIGNING_KEY = "0123456789abcdef0123456789abcdef";
const PASSWORD = "correct horse battery";
const JWT_SECRET = "fedcba9876543210fedcba9876543210";

let camera, lunette, keys, backend, slow;

const base64 = (text) => Buffer.from(text).toString("base64url");
function jwt(claims, { header = { alg: "HS256" }, signer = (text) => createHmac("sha256", JWT_SECRET).update(text).digest("base64url") } = {}) {
  const text = `${base64(JSON.stringify(header))}.${base64(JSON.stringify(claims))}`;
  return `${text}.${signer(text)}`;
}
const inAMinute = () => Math.floor(Date.now() / 1000) + 60;

const login = (length) => `POST /api/v1/session HTTP/1.1\r\nHost: 127.0.0.1:${lunette.port}\r\nContent-Type: application/json\r\nContent-Length: ${length}\r\n\r\n`;

/** A small HTTP server of the test's: `answer` gets the request's body and says what to reply. */
async function helper(answer) {
  const asked = [];
  const server = createServer((request, response) => {
    let body = "";
    request.on("data", (chunk) => (body += chunk)).on("end", () => {
      asked.push({ method: request.method, type: request.headers["content-type"], body });
      answer(body, response);
    });
  });
  const port = await freePort();
  await new Promise((resolve) => server.listen(port, "127.0.0.1", resolve));
  return { asked, url: `http://127.0.0.1:${port}/check`, close: () => server.close(), server };
}

before(async () => {
  camera = await gstCamera({ files: { cam: "small.mp4" } });
  const hash = await cli(["hash-password"], PASSWORD);
  keys = { admin: await apiKey(), viewer: await apiKey(), other: await apiKey() };
  backend = await helper((body, response) => response.end(JSON.stringify({ status: JSON.parse(body).token === "let-me-in" ? "1" : "0" })));
  lunette = await Lunette.start({
    level: "trace",
    streams: { cam: camera.url(), secret: camera.url() },
    tables: {
      auth: { signing_key: SIGNING_KEY },
      "auth.users.ann": { password_hash: hash, role: "viewer" },
      "auth.users.boss": { password_hash: hash, role: "admin" },
      "auth.keys.admin": { hash: keys.admin.hash, role: "admin" },
      "auth.keys.viewer": { hash: keys.viewer.hash, role: "viewer" },
      "auth.keys.other": { hash: keys.other.hash, grants: ["watch:other*"] },
      "auth.jwt": { secret: JWT_SECRET, issuer: "e2e" },
      "auth.token_backend": { url: backend.url, cache: "5s" },
    },
  });
  slow = Array.from({ length: 40 }, (_, i) => connect(lunette.port, "127.0.0.1", function () {
    this.write(i % 2 ? `${login(100)}{"user` : "GET / HTTP/1.1\r\nX: ");
  }));
  for (const socket of slow) socket.on("error", () => {}).resume();
});
after(async () => {
  await lunette?.stop();
  backend?.close();
});

const ask = (path, options) => fetch(`${lunette.http}${path}`, options);
const status = async (path, options) => (await ask(path, options)).status;
const bearer = (token) => ({ headers: { authorization: `Bearer ${token}` } });
const basic = (user, password) => ({ headers: { authorization: `Basic ${Buffer.from(`${user}:${password}`).toString("base64")}` } });

test("each kind of credentials lets in whom it should, on HTTP and on WebSocket", { timeout: 60_000 }, async () => {
  const granted = jwt({ iss: "e2e", sub: "x", exp: inAMinute(), lunette: "watch:cam" });
  for (const [name, options, cam, metrics] of [
    ["nobody", {}, 401, 401],
    ["viewer key", bearer(keys.viewer.key), 200, 403],
    ["admin key", bearer(keys.admin.key), 200, 200],
    ["key for others", bearer(keys.other.key), 403, 403],
    ["user", basic("ann", PASSWORD), 200, 403],
    ["admin", basic("boss", PASSWORD), 200, 200],
    ["wrong password", basic("ann", "wrong"), 401, 401],
    ["JWT", bearer(granted), 200, 403],
    ["expired JWT", bearer(jwt({ iss: "e2e", exp: 1_700_000_000, lunette: "watch" })), 401, 401],
    ["unsigned JWT", bearer(jwt({ iss: "e2e", exp: inAMinute(), lunette: "watch" }, { header: { alg: "none" }, signer: () => "" })), 401, 401],
    ["another's JWT", bearer(jwt({ iss: "other", exp: inAMinute(), lunette: "watch" })), 401, 401],
  ]) {
    assert.equal(await status("/stream/cam/state", options), cam, `${name} watches`);
    assert.equal(await status("/metrics", options), metrics, `${name} reads metrics`);
  }
  assert.equal(await status("/stream/secret/state", bearer(granted)), 403);
  const viewer = new Viewer(`${lunette.mse("cam")}?token=${granted}`);
  await viewer.frames(10);
  viewer.close();
  const refused = new Viewer(`${lunette.mse("secret")}?token=${granted}`);
  refused.socket.on("error", () => {});
  await new Promise((resolve) => refused.socket.on("unexpected-response", (_, response) => resolve(response.statusCode))).then((code) => assert.equal(code, 403));
});

test("an admin gives a key and takes it away: who watches and listens by it is sent away, and who would lock themselves out is told", { timeout: 30_000 }, async () => {
  const change = async (token, body, query = "") => {
    const answer = await ask(`/api/v1/config/auth${query}`, { method: "PATCH", headers: { "content-type": "application/json", ...bearer(token).headers }, body: JSON.stringify(body) });
    return { status: answer.status, json: await answer.json() };
  };
  const { key, hash } = await apiKey();
  assert.deepEqual(await change(keys.admin.key, { keys: { guest: { hash, role: "admin" } } }), { status: 200, json: { saved: true } });
  const [one, other] = [key, keys.viewer.key].map((token) => new Viewer(`${lunette.mse("cam")}?token=${token}`));
  const events = (await ask("/api/v1/events", bearer(key))).body.pipeTo(new WritableStream());
  const rtsp = /serving RTSP\b.*?address=\S*?:(\d+)/.exec(lunette.log)[1];
  const described = connect(rtsp, "127.0.0.1", () => described.write(`DESCRIBE rtsp://127.0.0.1:${rtsp}/cam?token=${key} RTSP/1.0\r\nCSeq: 1\r\n\r\n`));
  const heard = [];
  const left = new Promise((resolve) => described.on("data", (data) => heard.push(data)).on("close", resolve));
  await Promise.all([one.frames(5), other.frames(5), until("RTSP describes it", () => /^RTSP\/1.0 200/.test(heard.join("")))]);
  const own = await change(key, { keys: { guest: null } });
  assert.equal(own.status, 409);
  assert.match(own.json.detail, /you \(key guest\).*\?force=true/);
  assert.equal((await change(keys.admin.key, { keys: { guest: null } })).status, 200);
  assert.equal((await one.ended()).code, 4005);
  await Promise.all([events, left]);
  await other.frames(other.of("video").length + 5);
  assert.equal(other.closed, undefined);
  other.close();
  assert.equal((await change(key, {})).status, 401);
});

test("ffmpeg plays a URL that `lunette token` signed, playlists, parts and segments; without it nothing is served", { timeout: 60_000 }, async () => {
  const config = configFile(`[auth]\nsigning_key = "${SIGNING_KEY}"\n`);
  const urls = (await cli(["token", "--config", config, "--stream", "cam", "--expires", "1h", "--url", lunette.http])).split("\n");
  const playlist = urls.at(-1).replace("hlsll", "hls");
  const play = (url, ...options) => run("ffmpeg", ["-hide_banner", "-v", "error", ...options, "-i", url, "-t", "3", "-f", "null", "-"]);
  assert.equal((await play(playlist)).trim(), "");
  const token = /\/t\/([^/]+)\//.exec(playlist)[1];
  assert.equal((await play(`${lunette.http}/stream/cam/hls/live/index.m3u8?token=${token}`)).trim(), "", "by query: it is sent on to the path");
  assert.equal((await play(`${lunette.http}/stream/cam/hls/live/index.m3u8`, "-headers", `Authorization: Bearer ${keys.viewer.key}\r\n`)).trim(), "");
  const media = await (await fetch(new URL("/stream/cam/channel/0/hlsll/live/media.m3u8", lunette.http), bearer(keys.viewer.key))).text();
  const files = [...media.matchAll(/(?:URI="|^)([^"#\n]+\.(?:m4s|mp4))/gm)].map(([, uri]) => new URL(uri, `${lunette.http}/stream/cam/channel/0/hlsll/live/`).pathname);
  assert.ok(files.some((file) => file.includes("part-")) && files.some((file) => file.includes("segment-")) && files.some((file) => file.includes("init-")), media);
  for (const file of new Set(files)) assert.equal(await status(file), 401, file);
});

test("viewers with different credentials get the same playlist text and the same media URLs, so caches hold one copy", { timeout: 30_000 }, async () => {
  const [first, second] = await Promise.all([keys.viewer.key, keys.admin.key].map(async (token) => {
    const answer = await ask(`/stream/cam/hlsll/live/index.m3u8?token=${token}`);
    return { url: answer.url, text: await answer.text(), cache: answer.headers.get("cache-control") };
  }));
  assert.equal(first.url, second.url);
  assert.match(first.url, /\/t\/[\w.-]+\/stream\/cam\//);
  assert.equal(first.text, second.text);
  assert.match(first.cache, /^public/);
  assert.doesNotMatch(first.text, /token|\/t\//, "the text names no token: it is relative");
});

test("in Chromium the player plays with a token by MSE and by hls.js, and is told when it may not", { timeout: 90_000 }, async () => {
  const browser = await launch("chromium");
  try {
    const page = await Page.open(browser, lunette);
    for (const modes of ["mse", "hls"]) {
      const player = await page.play("cam", { modes, token: keys.viewer.key });
      await player.pictures(25);
      assert.equal((await player.report()).stats.mode, modes);
      await page.tab.evaluate("document.body.replaceChildren(); undefined");
    }
    for (const token of ["", keys.other.key]) {
      await page.play("secret", { token });
      const detail = () => page.tab.evaluate(`(({ state, reason }) => ({ state, reason }))(document.querySelector("lunette-player").detail)`);
      await until("it is refused", async () => (await detail()).reason === "forbidden");
      assert.equal((await detail()).state, "failed");
      await page.tab.evaluate(`document.querySelector("lunette-player").token = ${JSON.stringify(keys.viewer.key)}; undefined`);
      await until("a good token helps at once", async () => (await detail()).state === "live");
      await page.tab.evaluate("document.body.replaceChildren(); undefined");
    }
  } finally {
    await browser.close();
  }
});

test("people log in on the page, watch with the session's cookie, and log out", { timeout: 60_000 }, async () => {
  const browser = await launch("chromium");
  try {
    const { tab } = await Page.front(browser, lunette);
    await tab.waitForSelector("#login:not([hidden])");
    await tab.fill("[name=username]", "ann");
    await tab.fill("[name=password]", "wrong");
    await tab.click("#login button");
    await until("it says what is wrong", async () => /wrong/.test(await tab.textContent("#trouble")));
    await tab.fill("[name=password]", PASSWORD);
    await tab.click("#login button");
    await tab.waitForSelector("#streams a");
    await tab.click("#streams a");
    const state = () => tab.evaluate(`document.querySelector("lunette-player").state`);
    await until("it plays", async () => (await state()) === "live");
    assert.equal(await tab.evaluate("document.cookie"), "", "no script sees the session");
    const [cookie] = await tab.context().cookies();
    assert.deepEqual([cookie.httpOnly, cookie.sameSite, cookie.path], [true, "Strict", "/"]);
    await tab.click("#leave:not([hidden])");
    await tab.waitForSelector("#login:not([hidden])");
    assert.equal(await status("/api/v1/streams", { headers: { cookie: `${cookie.name}=${cookie.value}` } }), 401, "the session is over");
  } finally {
    await browser.close();
  }
});

test("under a base path the page, its login, MSE and LL-HLS work as at the root", { timeout: 60_000 }, async () => {
  const hash = await cli(["hash-password"], PASSWORD);
  const other = await Lunette.start({
    streams: { cam: camera.url() },
    tables: { server: { base_path: "/cams/home" }, "auth.users.ann": { password_hash: hash, role: "viewer" }, "auth.keys.viewer": { hash: keys.viewer.hash, role: "viewer" } },
  });
  const browser = await launch("chromium");
  try {
    const tab = await browser.newPage();
    await tab.goto(`${other.http}/cams/home`);
    assert.equal(tab.url(), `${other.http}/cams/home/`);
    await tab.waitForSelector("#login:not([hidden])");
    await tab.fill("[name=username]", "ann");
    await tab.fill("[name=password]", PASSWORD);
    await tab.click("#login button");
    const state = () => tab.evaluate(`(({ state }) => state)(document.querySelector("lunette-player"))`);
    const stats = () => tab.evaluate(`document.querySelector("lunette-player").stats()`);
    await until("its only stream plays", async () => (await state()) === "live");
    await tab.evaluate(`Object.assign(document.querySelector("lunette-player"), { modes: "mse" }); undefined`);
    await until("and by MSE", async () => (await state()) === "live" && (await stats()).mode === "mse");
    assert.equal((await tab.context().cookies())[0].path, "/cams/home/");
    await tab.evaluate(`Object.assign(document.querySelector("lunette-player"), { modes: "hls", token: ${JSON.stringify(keys.viewer.key)} }); undefined`);
    await until("and by LL-HLS with a token", async () => (await state()) === "live" && (await stats()).mode === "hls");
    assert.equal((await fetch(`${other.http}/stream/cam/state`, bearer(keys.viewer.key))).status, 404, "nothing is at the root");
  } finally {
    await browser.close();
    await other.stop();
  }
});

test("RTSPtoWeb's token backend is asked as RTSPtoWeb asks, remembered, and without it nobody gets in", { timeout: 30_000 }, async () => {
  const from = backend.asked.length;
  for (let i = 0; i < 5; i++) assert.equal(await status("/stream/cam/channel/0/hlsll/live/media.m3u8?token=let-me-in"), 200);
  assert.equal(await status("/stream/cam/state?token=keep-me-out"), 401);
  const asked = backend.asked.slice(from).map(({ body, ...rest }) => ({ ...rest, ...JSON.parse(body) }));
  assert.deepEqual(asked, [
    { method: "POST", type: "application/json", proto: "HLS", stream: "cam", channel: "0", token: "let-me-in", ip: "127.0.0.1" },
    { method: "POST", type: "application/json", proto: "HLS", stream: "cam", token: "keep-me-out", ip: "127.0.0.1" },
  ]);
  const viewer = new Viewer(`${lunette.mse("cam")}?token=let-me-in`);
  await viewer.frames(5);
  viewer.close();
  assert.equal(JSON.parse(backend.asked.at(-1).body).proto, "WS");
  for (const answer of ["", "yes", '{"status":1}', '{"status":"1"', "x".repeat(1 << 20)]) {
    const odd = await helper((_, response) => response.end(answer));
    const other = await Lunette.start({ streams: { cam: camera.url() }, tables: { "auth.token_backend": { url: odd.url, timeout: "300ms" } } });
    assert.equal((await fetch(`${other.http}/stream/cam/state?token=x`)).status, 401, answer.slice(0, 20));
    odd.close();
    assert.equal((await fetch(`${other.http}/stream/cam/state?token=y`)).status, 401, "nobody is there to ask");
    await other.stop();
  }
});

test("JWTs are verified with the keys that an issuer publishes, and with those that it publishes later", { timeout: 40_000 }, async () => {
  const make = (kid) => ({ kid, ...generateKeyPairSync("ec", { namedCurve: "P-256" }) });
  const published = [make("first")];
  const issuer = await helper((_, response) => response.end(JSON.stringify({ keys: published.map(({ kid, publicKey }) => ({ ...publicKey.export({ format: "jwk" }), kid, use: "sig", alg: "ES256" })) })));
  const other = await Lunette.start({ streams: { cam: camera.url() }, tables: { "auth.jwt": { jwks_url: issuer.url, audience: "lunette" } } });
  const by = ({ kid, privateKey }) => jwt({ aud: "lunette", exp: inAMinute(), lunette: ["watch"] }, {
    header: { alg: "ES256", kid }, signer: (text) => sign("sha256", Buffer.from(text), { key: privateKey, dsaEncoding: "ieee-p1363" }).toString("base64url"),
  });
  const watch = async (token) => (await fetch(`${other.http}/stream/cam/state`, bearer(token))).status;
  await until("the first key is known", async () => (await watch(by(published[0]))) === 200);
  assert.equal(await watch(by(make("first"))), 401, "another's key of the same name");
  const fetched = issuer.asked.length;
  for (let i = 0; i < 20; i++) await watch(by(make(`unknown-${i}`)));
  assert.ok(issuer.asked.length - fetched <= 1, "unknown keys don't make it ask again and again");
  await other.stop();
  issuer.close();
});

test("control is on record, and no secret is in the log", { timeout: 20_000 }, async () => {
  const made = await ask("/api/v1/media-tokens", { method: "POST", body: '{"stream":"cam","expires_in":60}', ...bearer(keys.admin.key) });
  assert.equal(made.status, 201);
  const { token } = await made.json();
  assert.equal(await status("/api/v1/media-tokens", { method: "POST", body: "{}", ...bearer(keys.viewer.key) }), 403);
  assert.equal(await status(`/t/${token}/stream/cam/state`), 200);
  assert.equal(await status(`/elsewhere?token=${token}`), 404);
  await until("both are in the log", () => /key admin.*media-tokens.*status=201/.test(plain()) && /key viewer.*media-tokens.*status=403/.test(plain()));
  assert.match(plain(), /address=127\.0\.0\.1/);
  for (const secret of [token, SIGNING_KEY, PASSWORD, JWT_SECRET, "let-me-in", ...Object.values(keys).map(({ key }) => key)]) {
    for (const disguise of [secret, encodeURIComponent(secret), Buffer.from(secret).toString("base64").replaceAll("=", "")]) {
      const at = lunette.log.indexOf(disguise);
      assert.equal(at, -1, `the log tells ${secret}: ...${lunette.log.slice(Math.max(0, at - 200), at + 60)}`);
    }
  }
});
/** The log without what a terminal would make colours of. */
const plain = () => lunette.log.replaceAll(/\u001b\[[0-9;]*m/g, "");

test("on an address that others can reach, nothing is allowed without credentials, and the settings are named", { timeout: 30_000 }, async () => {
  const port = await freePort();
  const start = (...args) => new Child(BINARY, ["--listen", `0.0.0.0:${port}`, ...args], { name: "open" });
  let child = start();
  await child.says(/Lunette is at/);
  assert.match(child.output, /nobody can control this server/);
  const url = `http://127.0.0.1:${port}`;
  for (const [path, setting] of [["/stream/demo/state", "auth.anonymous"], ["/api/v1/streams", "auth.anonymous"], ["/metrics", "auth.users"]]) {
    const answer = await fetch(url + path);
    assert.equal(answer.status, 403);
    assert.match(answer.headers.get("content-type"), /problem\+json/);
    assert.ok((await answer.json()).detail.includes(setting), path);
  }
  assert.equal((await fetch(`${url}/healthz`)).status, 200);
  await child.stop();
  child = start("--anonymous", "watch");
  await child.says(/everybody who can reach this address can watch/);
  assert.equal((await fetch(`${url}/stream/demo/state`)).status, 200);
  assert.equal((await fetch(`${url}/metrics`)).status, 403);
  await child.stop();
});

/** Sends bytes as they are, and returns what comes back until the end. */
function raw(port, bytes, timeoutMs = 40_000) {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1", () => socket.write(bytes));
    let answer = "";
    const timer = setTimeout(() => socket.destroy(), timeoutMs);
    socket.setEncoding("latin1").on("data", (chunk) => (answer += chunk)).on("error", () => {});
    socket.on("close", () => (clearTimeout(timer), resolve(answer)));
  });
}
const get = (path, ...headers) => `GET ${path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n${headers.map((header) => `${header}\r\n`).join("")}\r\n`;

test("paths that lead elsewhere, and headers within headers, get nowhere", { timeout: 60_000 }, async () => {
  const admin = `Authorization: Bearer ${keys.admin.key}`;
  for (const path of ["/../../etc/passwd", "/..%2f..%2fetc/passwd", "/%2e%2e/%2e%2e/etc/passwd", "//etc/passwd", "/assets/../../../etc/passwd", "/stream/..%2f..%2fetc/state", "/t/x/../../metrics", "/stream/cam%2f..%2fsecret/state", "/stream/%00/state", "/..\\..\\etc\\passwd"]) {
    const answer = await raw(lunette.port, get(path, admin));
    assert.match(answer, /^HTTP\/1\.1 (400|401|404) /, path);
    assert.doesNotMatch(answer, /root:/, path);
  }
  // Whoever may watch `cam` may not watch `secret` under another spelling.
  const only = jwt({ iss: "e2e", exp: inAMinute(), lunette: "watch:cam" });
  for (const path of ["/stream/secret/state", "/stream/%73ecret/state", "/stream/cam/../secret/state", "/stream//secret/state", "/stream/cam%2F..%2Fsecret/state", "//stream/secret/state", "/STREAM/secret/state", "/stream/secret/state/"]) {
    assert.doesNotMatch(await raw(lunette.port, get(path, `Authorization: Bearer ${only}`)), /^HTTP\/1\.1 200 /, path);
  }
  const injected = await raw(lunette.port, get(`/stream/cam/hls/live/index.m3u8?token=${keys.viewer.key}&x=%0d%0aSet-Cookie:%20a=b`));
  assert.match(injected, /^HTTP\/1\.1 307 /);
  assert.doesNotMatch(injected, /\r\nset-cookie/i);
  for (const headers of [["X: a\rSet-Cookie: b"], [`${admin}\r\n ${admin}`], ["Transfer-Encoding: chunked", "Content-Length: 5"], ["Content-Length: 5", "Content-Length: 6"]]) {
    assert.doesNotMatch(await raw(lunette.port, get("/metrics", ...headers), 5_000), /^HTTP\/1\.1 200 /, JSON.stringify(headers));
  }
});

test("bodies that are too large, or never ended as heads did, were let go", { timeout: 40_000 }, async () => {
  const large = await raw(lunette.port, login(1 << 20) + "x".repeat(1 << 20), 10_000);
  assert.match(large, /^HTTP\/1\.1 (400|413) /);
  await until("all are let go", () => slow.every((socket) => socket.closed || socket.readableEnded), 30_000);
});

test("thousands of idle connections keep nobody out, even where there are more of them than the server may hold", { timeout: 90_000 }, async () => {
  const files = Number((await run("sh", ["-c", "ulimit -n"])).trim()) || 1_000_000;
  const many = Math.min(10_000, files - 1000);
  const small = await freePort();
  const few = new Child("prlimit", ["--nofile=1024:1024", BINARY, "--listen", `127.0.0.1:${small}`], { name: "few-files" });
  await few.says(/Lunette is at/);
  for (const [port, count] of [[lunette.port, many], [small, 2_000]]) {
    const idle = [];
    for (let n = 0; n < count; n += 250) {
      await Promise.all(Array.from({ length: 250 }, () => new Promise((resolve) => {
        const socket = connect(port, "127.0.0.1", resolve).on("error", resolve).resume();
        idle.push(socket);
      })));
    }
    const begin = Date.now();
    assert.equal((await fetch(`http://127.0.0.1:${port}/healthz`, { headers: { connection: "close" } })).status, 200);
    assert.ok(Date.now() - begin < 5_000, `${count} idle: ${Date.now() - begin} ms`);
    for (const socket of idle) socket.destroy();
    await span(100);
  }
  // Where not one more file can be opened, the listener waits until there can.
  const limit = (files) => run("prlimit", ["--pid", String(few.pid), `--nofile=${files}:1024`]);
  await limit(8);
  const late = fetch(`http://127.0.0.1:${small}/healthz`, { headers: { connection: "close" } });
  await few.says(/can't accept a connection/);
  await span(300);
  assert.equal(few.output.match(/can't accept a connection/g).length, 1, "it is told once");
  await limit(1024);
  assert.equal((await late).status, 200);
  await few.stop();
});
