/** Cameras: processes that serve RTSP on 127.0.0.1. */
import { execFileSync } from "node:child_process";
import { connect } from "node:net";
import { join } from "node:path";

import { Child, freePort, TESTS, WORK } from "./processes.mjs";
import { until } from "./wait.mjs";

const CAMERAS = join(TESTS, "cameras");

/** The path of a clip; makes them all on first use. */
export function clip(name) {
  if (!clip.made) execFileSync(join(CAMERAS, "clips.sh"), { stdio: "inherit" });
  clip.made = true;
  return join(WORK, "clips", name);
}

/** Expands `main.mp4+tone.alaw,other.mp4` to paths. */
const paths = (files) => files.replaceAll(/[^+,]+/g, (name) => clip(name));

/** A camera process that can be killed and come back on the same port. */
class Camera {
  constructor(port, start) {
    this.port = port;
    this.start = start;
  }

  /** Its URL; `credentials` is `user:password`. */
  url(mount = "cam", credentials = "") {
    return `rtsp://${credentials ? `${credentials}@` : ""}127.0.0.1:${this.port}/${mount}`;
  }

  async up() {
    this.child = await this.start(this.port);
    return this;
  }

  /** Pulls the plug. */
  kill() {
    return this.child.kill();
  }

  /** It hangs: sockets stay open, nothing is sent. */
  freeze() {
    this.child.signal("SIGSTOP");
  }

  thaw() {
    this.child.signal("SIGCONT");
  }
}

/**
 * gst-rtsp-server.
 * @param {object} what
 * @param {Record<string,string>} what.files Mount to clips: `{ cam: "main.mp4+tone.alaw" }`.
 * @param {string[]} what.stamp Mounts that film the clock.
 * @param {number} what.core The core to be pinned to.
 * @param {string[]} what.args More arguments of gst_cam.py.
 */
export async function gstCamera({ files = {}, stamp = [], args = [], core }) {
  const mounts = Object.entries(files).flatMap(([mount, spec]) => ["--file", `/${mount}=${paths(spec)}`]);
  const live = stamp.flatMap((mount) => ["--stamp", `/${mount}`]);
  const start = async (port) => {
    const all = [join(CAMERAS, "gst_cam.py"), "--port", port, ...mounts, ...live, ...args];
    const child = new Child("/usr/bin/python3", all, { name: "gst_cam", core });
    await child.says(/^ready/m);
    return child;
  };
  return new Camera(await freePort(), start).up();
}

/** VLC, which refuses TCP. */
export async function udpOnlyCamera(file) {
  const start = async (port) => {
    const child = new Child(join(CAMERAS, "udp_only"), [clip(file), port, "cam"], { name: "udp_only" });
    await until("VLC listens", () => listens(port));
    return child;
  };
  return new Camera(await freePort(), start).up();
}

/** The script: oddities are its mounts, `fault` is a kind of rubbish, as scripted.mjs names them. */
export async function scriptedCamera({ fault, good = 3, bad = 2 } = {}) {
  const rubbish = fault ? ["--fault", fault, "--good", good, "--bad", bad] : [];
  const start = async (port) => {
    const args = ["--file", clip("main.h264"), "--sound", clip("tone.alaw"), "--port", port, ...rubbish];
    const child = new Child(join(CAMERAS, "scripted.mjs"), args, { name: `scripted-${fault ?? "odd"}` });
    await child.says(/^ready/m);
    return child;
  };
  return new Camera(await freePort(), start).up();
}

function listens(port) {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1");
    socket.once("connect", () => (socket.destroy(), resolve(true)));
    socket.once("error", () => resolve(false));
  });
}
