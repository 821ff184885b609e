/** Stands before a camera and counts its sessions, as a camera does: one begins with SETUP, and ends with TEARDOWN or with its connection. */
import { connect, createServer } from "node:net";

export class Turnstile {
  /** Sessions that are there now, the most that were at once, and how many there were in all. */
  open = 0;
  most = 0;
  total = 0;
  /** Connections in all, also those that were given up before there was a session. */
  connections = 0;

  /** One before the camera at `port`, on a free port of its own. */
  static async before(port) {
    const turnstile = new Turnstile();
    turnstile.server = createServer((client) => turnstile.#enter(client, port));
    await new Promise((resolve) => turnstile.server.listen(0, "127.0.0.1", resolve));
    turnstile.port = turnstile.server.address().port;
    return turnstile;
  }

  #enter(client, port) {
    this.connections += 1;
    const camera = connect(port, "127.0.0.1");
    client.pipe(camera).pipe(client);
    // A client has asked and been answered twice before its SETUP: whatever ended before it began has been heard of by then.
    let here = false;
    const leave = () => {
      if (here) this.open -= 1;
      here = false;
    };
    client.on("data", (bytes) => {
      const text = bytes.toString("latin1");
      if (/^SETUP /m.test(text) && !here) {
        here = true;
        this.open += 1;
        this.total += 1;
        this.most = Math.max(this.most, this.open);
      }
      if (/^TEARDOWN /m.test(text)) leave();
    });
    for (const event of ["end", "error", "close"]) client.once(event, leave);
    client.once("error", () => camera.destroy());
    client.once("close", () => camera.destroy());
    camera.on("error", () => client.destroy());
  }

  /** The URL of a camera's mount, through here. */
  url(mount) {
    return `rtsp://127.0.0.1:${this.port}/${mount}`;
  }

  close() {
    this.server.close();
  }
}
