/** HTTP caches in front of the product, configured as docs/hls.md says. */
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { userInfo } from "node:os";
import { join } from "node:path";

import { Child, freePort, ROOT, WORK } from "./processes.mjs";
import { until } from "./wait.mjs";

/** The block of `language` in docs/hls.md. */
function documented(language) {
  const docs = readFileSync(join(ROOT, "docs/hls.md"), "utf8");
  return new RegExp("```" + language + "\n(.*?)```", "s").exec(docs)[1];
}

/** `text` with each of `changes` made; each must find its place. */
function changed(text, changes) {
  for (const [from, to] of changes) {
    if (!text.includes(from)) throw new Error(`docs/hls.md no longer says ${from}`);
    text = text.replace(from, to);
  }
  return text;
}

class Cache {
  constructor(child, port) {
    this.child = child;
    this.http = `http://127.0.0.1:${port}`;
  }

  async ready() {
    await until(`${this.child.name} answers`, async () => {
      if (this.child.ended) throw new Error(this.child.output);
      return (await fetch(`${this.http}/stream/none/hls/live/index.m3u8`)).status === 404;
    });
    return this;
  }

  stop() {
    return this.child.stop();
  }
}

/** nginx in front of `target`, host and port. */
export async function nginx(target) {
  mkdirSync(WORK, { recursive: true });
  const [folder, port] = [mkdtempSync(join(WORK, "config-nginx-")), await freePort()];
  const http = changed(documented("nginx"), [
    ["/var/cache/nginx/hls", join(folder, "cache")],
    ["listen 80;", `listen 127.0.0.1:${port};`],
    ["127.0.0.1:8083", target],
  ]);
  const bodies = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map((what) => `${what}_temp_path ${join(folder, what)};`);
  // Its workers are this user, whose folder it is.
  const config = `user ${userInfo().username}; daemon off; pid ${join(folder, "pid")}; error_log stderr warn; worker_rlimit_nofile 16384;
    events { worker_connections 8000; } http { access_log off; ${bodies.join(" ")}\n${http}}`;
  writeFileSync(join(folder, "nginx.conf"), config);
  const child = new Child("/usr/sbin/nginx", ["-p", folder, "-c", join(folder, "nginx.conf"), "-e", "stderr"], { name: "nginx" });
  return new Cache(child, port).ready();
}

/** Varnish in front of `target`. Without compression, which the load tool can't read. */
export async function varnish(target) {
  mkdirSync(WORK, { recursive: true });
  const [folder, port] = [mkdtempSync(join(WORK, "config-varnish-")), await freePort()];
  const [host, behind] = target.split(":");
  const vcl = changed(documented("vcl"), [["127.0.0.1", host], ["8083", behind]]);
  const more = 'sub vcl_backend_response { set beresp.do_stream = false; }\nsub vcl_deliver { if (obj.hits > 0) { set resp.http.X-Cache = "HIT"; } }\n';
  writeFileSync(join(folder, "hls.vcl"), vcl + more);
  chmodSync(folder, 0o755);
  const args = ["-F", "-a", `127.0.0.1:${port}`, "-f", join(folder, "hls.vcl"), "-n", join(folder, "run"), "-s", "malloc,512m"];
  const child = new Child("/usr/sbin/varnishd", [...args, "-p", "http_gzip_support=off", "-p", "thread_pool_max=2000"], { name: "varnish" });
  return new Cache(child, port).ready();
}
