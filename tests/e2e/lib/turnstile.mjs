/** Stands before a camera and counts who goes in: what the camera sees of its clients. */
import { connect, createServer } from "node:net";

export class Turnstile {
  /** Clients that are there now, the most that were at once, and how many there were in all. */
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
    const camera = connect(port, "127.0.0.1");
    client.pipe(camera).pipe(client);
    // Who has said nothing yet is no client: it may have left while it waited to be accepted.
    client.once("data", () => {
      this.open += 1;
      this.total += 1;
      this.most = Math.max(this.most, this.open);
      // Who has said goodbye has left, though the camera may still answer to that.
      let left = false;
      const leave = () => {
        if (!left) this.open -= 1;
        left = true;
      };
      for (const event of ["end", "error", "close"]) client.once(event, leave);
    });
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
