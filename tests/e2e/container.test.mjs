/** The container image: built by buildah from what `make image` gathers, and run by podman as careful people run it. */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { chmodSync, copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { promisify } from "node:util";

import { gstCamera } from "./lib/cameras.mjs";
import { Authority } from "./lib/certificates.mjs";
import { BINARY } from "./lib/lunette.mjs";
import { Child, freePort, ROOT, run, WORK } from "./lib/processes.mjs";
import { Viewer } from "./lib/viewer.mjs";
import { until } from "./lib/wait.mjs";

const CONTEXT = join(ROOT, "target/image");
const IMAGE = "localhost/lunette-test";
/** Who runs in the image. */
const NOBODY = 65532;
/** The most that the image may weigh, in bytes: what a slow line still loads in a minute. */
const LARGEST = 64e6;
/** No container outlives its test by more than so many seconds, whatever becomes of the test. */
const LONGEST = "120";

describe("the container image", { concurrency: false }, () => {
  let folder, store, unable;

  before(async () => {
    mkdirSync(WORK, { recursive: true });
    folder = mkdtempSync(join(WORK, "containers-"));
    // A store of the test's own; overlay does not work everywhere.
    store = ["--storage-driver", "vfs", "--root", join(folder, "root"), "--runroot", join(folder, "run")];
    await run("make", ["-C", ROOT, "--no-print-directory", "image-context", `IMAGE_BINARY=${BINARY}`]);
    await run("buildah", [...store, "build", "--isolation", "chroot", "--format", "docker", "--tag", IMAGE, "--file", join(ROOT, "config/Containerfile"), CONTEXT]);
    try {
      await podman("run", "--rm", "--network", "none", ...CAREFUL, IMAGE, "--version");
    } catch (error) {
      unable = error.message;
    }
  });

  after(async () => {
    await podman("rm", "--all", "--force", "--time", "0").catch(() => {});
    await run("buildah", [...store, "rmi", "--all", "--force"]).catch(() => {});
    rmSync(folder, { recursive: true, force: true });
  });

  const CAREFUL = ["--read-only", "--cap-drop", "all", "--security-opt", "no-new-privileges", "--ulimit", "nofile=4096:4096", "--ulimit", "nproc=4096:4096"];

  // crun does not know mixed control groups; where runc is there, it is taken.
  const podman = async (...args) => {
    const runtime = await run("which", ["runc"]).then(() => ["--runtime", "runc"], () => []);
    // What it says beside its answer, such as that no systemd is there for health checks, is no answer.
    return (await promisify(execFile)("podman", [...store, ...runtime, ...args])).stdout.trim();
  };

  /** The image's files as a root directory, run without podman: what is left to see where podman can't run. */
  function chroot(t, args, files = []) {
    t.diagnostic(`podman can't run here, so the image's files were run by chroot as user ${NOBODY} instead: health, health check, user, trust and end are seen, not the limits. Podman says: ${unable}`);
    const root = mkdtempSync(join(folder, "chroot-"));
    chmodSync(root, 0o755);
    mkdirSync(join(root, "etc/ssl/certs"), { recursive: true });
    mkdirSync(join(root, "etc/lunette"));
    copyFileSync(join(CONTEXT, "lunette"), join(root, "lunette"));
    copyFileSync(join(CONTEXT, "ca-certificates.crt"), join(root, "etc/ssl/certs/ca-certificates.crt"));
    for (const [from, to] of files) copyFileSync(from, join(root, to));
    const child = new Child("chroot", [`--userspec=${NOBODY}:${NOBODY}`, root, "/lunette", ...args], { name: "chroot" });
    return { pid: async () => child.pid, log: async () => child.output, health: (address) => run("chroot", [root, "/lunette", "healthcheck", address]), stop: async () => (await child.stop()).code };
  }

  /** Starts the image, by podman where that is possible. */
  async function start(t, { network, files = [], args = [] }) {
    if (unable) return chroot(t, args.length ? args : ["--listen", "127.0.0.1:8083"], files);
    const mounts = files.flatMap(([from, to]) => ["--volume", `${from}:${to}:ro`]);
    const id = await podman("run", "--detach", "--timeout", LONGEST, "--network", network, ...CAREFUL, ...mounts, IMAGE, ...args);
    const inspect = (what) => podman("inspect", "--format", `{{${what}}}`, id);
    return {
      pid: () => inspect(".State.Pid"),
      log: () => podman("logs", id),
      health: (address) => podman("exec", id, "/lunette", "healthcheck", address),
      async stop() {
        await podman("stop", "--time", "20", id);
        return Number(await inspect(".State.ExitCode"));
      },
    };
  }

  test("it is small, belongs to nobody, and holds the binary and certificates alone", { timeout: 30_000 }, async () => {
    const buildah = async (...args) => JSON.parse((await promisify(execFile)("buildah", [...store, ...args])).stdout);
    const { Docker: { config }, OCIv1: { rootfs } } = await buildah("inspect", "--type", "image", IMAGE);
    assert.equal(config.User, `${NOBODY}:${NOBODY}`);
    assert.deepEqual(config.Entrypoint, ["/lunette"]);
    assert.deepEqual(config.Healthcheck.Test, ["CMD", "/lunette", "healthcheck"]);
    assert.equal(rootfs.diff_ids.length, 1, "one layer, made from nothing");
    const binary = statSync(join(CONTEXT, "lunette")).size;
    assert.ok(binary < LARGEST, `${binary} bytes`);
    assert.match(readFileSync(join(CONTEXT, "ca-certificates.crt"), "utf8"), /BEGIN CERTIFICATE/);
  });

  test("as it is, it shows the demo camera, on a root file system that can't be written to", { timeout: 60_000 }, async (t) => {
    const container = await start(t, { network: "none" });
    await until("it is healthy", () => container.health("127.0.0.1:8083").then(() => true));
    const pid = await container.pid();
    // Without root, podman maps the image's users to others of ours.
    const user = process.getuid() === 0 ? NOBODY : "[1-9]\\d*";
    assert.match(readFileSync(`/proc/${pid}/status`, "utf8"), new RegExp(`^Uid:\\s+${user}\\s`, "m"));
    assert.match(readFileSync(`/proc/${pid}/status`, "utf8"), /^CapEff:\s+0+$/m);
    assert.match(await container.log(), /Lunette is at/);
    assert.equal(await container.stop(), 0);
  });

  test("it plays a camera over TLS that the system's certificates vouch for, and ends in order", { timeout: 90_000 }, async (t) => {
    const authority = await Authority.make("authority of the house");
    const { certificate, key } = await authority.sign("IP:127.0.0.1");
    const camera = await gstCamera({ files: { cam: "small.mp4" }, args: ["--tls", `${certificate},${key}`] });
    const port = await freePort();
    const config = join(folder, "lunette.toml");
    writeFileSync(config, `[server]\nlisten = "127.0.0.1:${port}"\n[streams.cam]\nurl = "${camera.url().replace("rtsp:", "rtsps:")}"\n`, { mode: 0o644 });
    chmodSync(authority.file, 0o644);
    const files = [[config, "/etc/lunette/lunette.toml"], [authority.file, "/etc/ssl/certs/ca-certificates.crt"]];
    const container = await start(t, { network: "host", files, args: ["--config", "/etc/lunette/lunette.toml"] });
    await until("it is ready", async () => (await fetch(`http://127.0.0.1:${port}/readyz`)).ok);
    const viewer = new Viewer(`ws://127.0.0.1:${port}/stream/cam/mse`);
    await viewer.frames(10);
    assert.equal(await container.stop(), 0, await container.log());
    assert.equal((await viewer.ended()).code, 1001);
  });
});
