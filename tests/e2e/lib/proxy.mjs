/** A reverse proxy in front of the product that lets no WebSocket through, and can go dead. */
import { createServer, request } from "node:http";

export class Proxy {
  /** `upgrades` is what becomes of them: "refused" with 403, or "dropped", never answered. */
  static async start(target, { upgrades = "refused" } = {}) {
    const proxy = new Proxy(target, upgrades);
    await new Promise((resolve) => proxy.server.listen(0, "127.0.0.1", resolve));
    proxy.http = `http://127.0.0.1:${proxy.server.address().port}`;
    return proxy;
  }

  /** The paths of all requests, and how many upgrades were asked for. */
  paths = [];
  upgrades = 0;
  #dead = false;
  /** Requests that came meanwhile. */
  #held = [];

  /** While true, connections stay open and nothing comes through; what is asked meanwhile gets through afterwards, as TCP has it. */
  set dead(dead) {
    this.#dead = dead;
    if (!dead) for (const [asked, answer] of this.#held.splice(0)) if (!answer.destroyed) this.#forward(asked, answer);
  }

  constructor(target, upgrades) {
    this.target = new URL(target);
    this.server = createServer((asked, answer) => this.#forward(asked, answer));
    this.server.on("upgrade", (_, socket) => {
      this.upgrades++;
      socket.on("error", () => undefined);
      if (upgrades === "refused") socket.end("HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
    });
  }

  stop() {
    this.server.closeAllConnections();
    this.server.close();
  }

  #forward(asked, answer) {
    if (this.#dead) return void this.#held.push([asked, answer]);
    this.paths.push(asked.url);
    const { hostname, port } = this.target;
    const onward = request({ hostname, port, path: asked.url, method: asked.method, headers: asked.headers }, (answered) => {
      if (this.#dead) return;
      answer.writeHead(answered.statusCode, answered.headers);
      answered.pipe(answer);
    });
    onward.on("error", () => answer.destroy());
    answer.on("close", () => onward.destroy());
    asked.pipe(onward);
  }
}
