/**
 * Plays through the proxies as docs/deploy.md and docs/tls.md configure them: nginx, and Caddy where there is one.
 * `node bench/proxies.mjs`; CADDY names its binary. By hand: what is proven belongs to them as much as to us.
 */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { userInfo } from "node:os";
import { join } from "node:path";

import { gstCamera } from "../e2e/lib/cameras.mjs";
import { Authority } from "../e2e/lib/certificates.mjs";
import { BINARY, Lunette } from "../e2e/lib/lunette.mjs";
import { Child, freePort, ROOT, WORK } from "../e2e/lib/processes.mjs";
import { Viewer } from "../e2e/lib/viewer.mjs";
import { until } from "../e2e/lib/wait.mjs";

/** An address that is not the proxy's. */
const US = "127.0.0.7";
const PASSWORD = "correct horse";
mkdirSync(WORK, { recursive: true });
const authority = await Authority.make("Whom browsers trust");
const { certificate, key } = await authority.sign("IP:127.0.0.1");
process.env.NODE_TLS_REJECT_UNAUTHORIZED = "0";

/** The block of `language` in a page of docs, with each of `changes` made. */
function documented(page, language, changes) {
  let text = new RegExp("```" + language + "\n(.*?)```", "s").exec(readFileSync(join(ROOT, "docs", page), "utf8"))[1];
  for (const [from, to] of changes) {
    if (!text.includes(from)) throw new Error(`docs/${page} no longer says ${from}`);
    text = text.replace(from, to);
  }
  return text;
}

function nginx(http) {
  const folder = mkdtempSync(join(WORK, "config-nginx-"));
  const bodies = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map((what) => `${what}_temp_path ${join(folder, what)};`);
  writeFileSync(join(folder, "nginx.conf"), `user ${userInfo().username}; daemon off; pid ${join(folder, "pid")}; error_log stderr warn;
    events { worker_connections 1000; } http { access_log off; ${bodies.join(" ")}\n${http}}`);
  return new Child("/usr/sbin/nginx", ["-p", folder, "-c", join(folder, "nginx.conf"), "-e", "stderr"], { name: "nginx" });
}

const proxies = {
  "nginx of docs/deploy.md": (port, target) => nginx(documented("deploy.md", "nginx", [
    // Before 1.25.1 nginx has this in the line before.
    ["listen 443 ssl;\n  http2 on;", `listen 127.0.0.1:${port} ssl http2;\n  ssl_certificate ${certificate}; ssl_certificate_key ${key};\n  location ~ ^/(healthz|readyz|metrics)$ { deny all; }`],
    ["127.0.0.1:8083", target],
  ])),
  "nginx of docs/tls.md, under a path": (port, target) => nginx(`map $http_upgrade $connection_upgrade { default upgrade; '' ''; }
    server { listen 127.0.0.1:${port} ssl http2; ssl_certificate ${certificate}; ssl_certificate_key ${key};
    ${documented("tls.md", "nginx", [["127.0.0.1:8083", target]])} }`),
  "Caddy of docs/deploy.md": (port, target) => {
    const file = join(mkdtempSync(join(WORK, "config-caddy-")), "Caddyfile");
    writeFileSync(file, `{\n  admin off\n  auto_https disable_redirects\n  default_sni 127.0.0.1\n}\n${documented("deploy.md", "caddyfile", [
      ["cameras.example.com {", `https://127.0.0.1:${port} {\n  tls ${certificate} ${key}`], ["127.0.0.1:8083", target]])}`);
    return new Child(process.env.CADDY ?? "caddy", ["run", "--config", file, "--adapter", "caddyfile"], { name: "caddy" });
  },
};

async function behind(name, start) {
  const base = name.includes("under a path") ? "/cameras" : "";
  const camera = await gstCamera({ files: { cam: "main.mp4" } });
  const hash = execFileSync(BINARY, ["hash-password"], { input: PASSWORD, encoding: "utf8" }).trim();
  const lunette = await Lunette.start({
    streams: { cam: camera.url() },
    tables: { server: { trusted_proxies: ["127.0.0.1"], base_path: base || "/" }, "auth.users.boss": { password_hash: hash, role: "admin" } },
  });
  const port = await freePort();
  const proxy = start(port, `127.0.0.1:${lunette.port}`);
  const origin = `https://127.0.0.1:${port}`;
  const site = origin + base;
  try {
    await until("the proxy answers", async () => {
      if (proxy.ended) throw new Error(proxy.output);
      return (await fetch(`${site}/stream/cam/state`)).status === 401;
    });
    // Whether the page is secure is what the proxy says, and where the page is what it passes on.
    const login = await fetch(`${site}/api/v1/session`, { method: "POST", headers: { "content-type": "application/json", origin }, body: JSON.stringify({ username: "boss", password: PASSWORD }) });
    assert.equal(login.status, 200, await login.text());
    const set = login.headers.get("set-cookie");
    assert.match(set, /; Secure/);
    assert.ok(set.includes(`Path=${base}/`), set);
    const cookie = set.split(";")[0];
    const ask = async (path, options = {}) => {
      const answer = await fetch(site + path, { ...options, headers: { cookie, ...options.headers } });
      assert.ok(answer.ok, `${path}: ${answer.status}`);
      return answer;
    };

    // Events come as they happen.
    const events = (await ask("/api/v1/events")).body.getReader();
    const told = until("an event", async () => {
      const { value, done } = await events.read();
      return done || Buffer.from(value).includes("viewer.joined");
    });
    // A WebSocket, from a page of the same origin, by somebody who says to be somebody else.
    const viewer = new Viewer(`${site.replace("https", "wss")}/stream/cam/mse`,
      { options: { rejectUnauthorized: false, localAddress: US, headers: { cookie, origin, "x-forwarded-for": "9.9.9.9", forwarded: "for=9.9.9.9" } } });
    await viewer.frames(50);
    assert.equal(await told, true);
    const { viewers } = await (await ask("/api/v1/viewers")).json();
    const seen = viewers.find((one) => one.protocol === "mse").remote;
    assert.ok(seen.startsWith(US), `the viewer is seen at ${seen}`);

    // LL-HLS: an answer that waits for the next part.
    const live = `/stream/cam/channel/0/hlsll/live`;
    const first = await until("parts", async () => {
      const text = await (await ask(`${live}/media.m3u8`)).text();
      return /EXT-X-PART:/.test(text) && text;
    });
    const sequence = Number(/MEDIA-SEQUENCE:(\d+)/.exec(first)[1]) + (first.match(/#EXTINF/g) ?? []).length;
    const began = Date.now();
    const next = await (await ask(`${live}/media.m3u8?_HLS_msn=${sequence + 1}&_HLS_part=0`)).text();
    const waited = Date.now() - began;
    const part = /EXT-X-PART:.*URI="([^"]+)"/.exec(next)[1];
    const bytes = (await (await ask(new URL(part, `http://x${live}/media.m3u8`).pathname)).arrayBuffer()).byteLength;
    assert.ok(bytes > 0);

    // What is for our own networks alone.
    const metrics = (await fetch(`${origin}/metrics`)).status;
    console.log(`${name}: cookie, events, WebSocket (${viewer.of("video").length} pictures, seen at ${seen}), a part of ${bytes} bytes after a playlist that waited ${waited} ms; /metrics ${metrics}`);
    viewer.close();
    await events.cancel();
  } finally {
    await Promise.all([proxy.stop(), lunette.child.stop()]);
    await camera.child?.stop();
  }
}

for (const [name, start] of Object.entries(proxies)) {
  try {
    await behind(name, start);
  } catch (error) {
    console.log(`${name}: ${error.stack}`);
    process.exitCode = 1;
  }
}
process.exit();
