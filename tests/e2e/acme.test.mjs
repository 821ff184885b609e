/** A certificate by ACME, from Pebble: Let's Encrypt's own small authority for tests. */
import assert from "node:assert/strict";
import { existsSync, mkdtempSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { connect as connectTls } from "node:tls";

import { Authority } from "./lib/certificates.mjs";
import { BINARY, configFile } from "./lib/lunette.mjs";
import { Child, freePort, WORK } from "./lib/processes.mjs";
import { until } from "./lib/wait.mjs";

/** tests/install.sh builds both where there is a Go compiler. */
const program = (name) => [process.env.PEBBLE_BIN, join(WORK, "go/bin")].filter(Boolean).map((folder) => join(folder, name)).find(existsSync);
const [pebble, challtestsrv] = ["pebble", "pebble-challtestsrv"].map(program);
const NAME = "cameras.lunette.test";

/** How long a certificate is good, in seconds; two thirds of it are waited for here. */
const VALIDITY = 12;

test("a certificate is ordered, kept for its owner alone, renewed before it ends, and there again after a restart without another order",
  { timeout: 60_000, skip: !pebble || !challtestsrv ? "Pebble is not installed" : false }, async () => {
    const authority = await Authority.make("Whom Pebble shows");
    const { certificate, key } = await authority.sign("IP:127.0.0.1");
    const [port, api, management, dns, http, other] = await Promise.all([1, 2, 3, 4, 5, 6].map(freePort));
    const folder = mkdtempSync(join(WORK, "acme-"));
    const config = join(folder, "pebble.json");
    writeFileSync(config, JSON.stringify({
      pebble: {
        listenAddress: `127.0.0.1:${api}`, managementListenAddress: `127.0.0.1:${management}`,
        certificate, privateKey: key, httpPort: http, tlsPort: port, ocspResponderURL: "", externalAccountBindingRequired: false,
        retryAfter: { authz: 1, order: 1 }, profiles: { default: { description: "the only one", validityPeriod: VALIDITY } },
      },
    }));
    new Child(challtestsrv, ["-defaultIPv4", "127.0.0.1", "-defaultIPv6", "", "-dnsserver", `127.0.0.1:${dns}`, "-http01", "", "-https01", "", "-tlsalpn01", "", "-doh", "", "-management", `127.0.0.1:${await freePort()}`], { name: "challtestsrv" });
    const ca = new Child(pebble, ["-config", config, "-dnsserver", `127.0.0.1:${dns}`, "-strict"], { name: "pebble", env: { PEBBLE_VA_NOSLEEP: "1", PEBBLE_WFE_NONCEREJECT: "5" } });
    await ca.says(/Listening on|ACME directory available/i);

    const cache = join(folder, "kept");
    const acme = { domains: [NAME], email: "somebody@lunette.test", directory: `https://127.0.0.1:${api}/dir`, cache, ca_file: authority.file };
    const configured = (listen, tls, keys) => {
      const lines = Object.entries({ ...acme, ...keys }).map(([name, value]) => `${name} = ${JSON.stringify(value)}`);
      return configFile(`[server]\nlisten = "127.0.0.1:${listen}"\n[rtsp]\nenable = false\n[webrtc]\nlisten = "127.0.0.1:0"\n[tls]\n${tls}\n[tls.acme]\n${lines.join("\n")}\n`);
    };
    const file = configured(port, "", {});
    const shown = () => new Promise((resolve, reject) => {
      const socket = connectTls({ port, host: "127.0.0.1", servername: NAME, rejectUnauthorized: false, ALPNProtocols: ["h2"] }, () => {
        const { fingerprint256: fingerprint, subjectAltName: names } = socket.getPeerX509Certificate();
        resolve({ fingerprint, names, alpn: socket.alpnProtocol });
        socket.destroy();
      });
      socket.on("error", reject);
    });
    // Meanwhile another one, which is asked over plain HTTP: its TLS is not where the authority looks.
    const beside = new Child(BINARY, ["--config", configured(other, `redirect = "127.0.0.1:${http}"`, { domains: [`beside.${NAME}`], challenge: "http-01", cache: join(folder, "beside") })], { name: "beside" });
    let lunette = new Child(BINARY, ["--config", file], { name: "lunette" });
    await lunette.says(/a new certificate was issued/, 40_000);
    const first = await until("it is shown", shown);
    assert.deepEqual([first.names, first.alpn], [`DNS:${NAME}`, "h2"]);
    await until("account and certificate are kept", () => readdirSync(cache).length === 2);
    for (const name of readdirSync(cache)) assert.equal(statSync(join(cache, name)).mode & 0o777, 0o600, name);
    assert.equal(statSync(cache).mode & 0o777, 0o700);

    await beside.says(/a new certificate was issued/);
    await beside.stop();

    // Another one before that one ends, for the next handshake.
    const renewed = await until("another one is shown", async () => {
      const now = await shown();
      return now.fingerprint !== first.fingerprint && now;
    }, VALIDITY * 1000);
    assert.equal(renewed.names, first.names);
    await ca.kill();
    await lunette.stop();
    const secret = readdirSync(cache).map((name) => readFileSync(join(cache, name), "utf8")).flatMap((text) => /PRIVATE KEY-----\n(.+)/.exec(text)?.[1] ?? []);
    assert.ok(secret.length > 0);
    for (const line of secret) assert.ok(!lunette.output.includes(line), "no private key in the log");

    lunette = new Child(BINARY, ["--config", file], { name: "lunette" });
    await lunette.says(/the kept certificate is used/);
    assert.equal((await until("it is shown again", shown)).fingerprint, renewed.fingerprint);
    await lunette.stop();
  });
