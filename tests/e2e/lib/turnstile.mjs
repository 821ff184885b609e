/** Stands before a camera and counts who goes in: what the camera sees of its clients. */
import { connect, createServer } from "node:net";

export class Turnstile {
  /** Connections that are open now, and the most that were at once. */
  open = 0;
  most = 0;
  total = 0;

  /** One before the camera at `port`, on a free port of its own. */
  static async before(port) {
    const turnstile = new Turnstile();
    turnstile.server = createServer((client) => turnstile.#enter(client, port));
    await new Promise((resolve) => turnstile.server.listen(0, "127.0.0.1", resolve));
    turnstile.port = turnstile.server.address().port;
    return turnstile;
  }

  #enter(client, port) {
    this.open += 1;
    this.total += 1;
    this.most = Math.max(this.most, this.open);
    const camera = connect(port, "127.0.0.1");
    client.pipe(camera).pipe(client);
    client.on("error", () => camera.destroy());
    camera.on("error", () => client.destroy());
    client.once("close", () => {
      this.open -= 1;
      camera.destroy();
    });
  }

  /** The URL of a camera's mount, through here. */
  url(mount) {
    return `rtsp://127.0.0.1:${this.port}/${mount}`;
  }

  close() {
    this.server.close();
  }
}
