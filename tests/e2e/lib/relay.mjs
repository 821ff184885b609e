/** A box on the way between viewers and a UDP port, as a NAT is one, behind which the line is as bad as a test wants it. */
import { createSocket } from "node:dgram";
import { once } from "node:events";

/** How long datagrams may wait in front of a line that is too narrow, in ms. */
const QUEUE_MS = 200;

export class Relay {
  /** A socket for each viewer, by its address. */
  #viewers = new Map();
  #busy = { up: 0, down: 0 };
  #underWay = new Set();
  /** How many datagrams went through, were lost, and came twice. */
  counts = { through: 0, lost: 0, twice: 0 };

  /** Takes what comes to `port` of `address` to the same port of `server`, and back. */
  static async open(address, port, server) {
    const relay = new Relay();
    Object.assign(relay, { port, server, outside: createSocket({ type: "udp4", recvBufferSize: 4 << 20 }) });
    relay.outside.on("message", (bytes, from) => relay.#pass("up", bytes, () => relay.#viewer(from).send(bytes, port, server)));
    relay.outside.bind(port, address);
    await once(relay.outside, "listening");
    return relay.set();
  }

  /**
   * How the line is from now on, both ways.
   * @param {object} line
   * @param {number} line.loss The share of datagrams that get lost; 1 is a dead line.
   * @param {number} line.delay How long they are under way, in ms, give or take `jitter`: so they overtake each other.
   * @param {number} line.twice The share that comes twice.
   * @param {number} line.kbits How much a second gets through, at most.
   */
  set({ loss = 0, delay = 0, jitter = 0, twice = 0, kbits = Infinity } = {}) {
    this.line = { loss, delay, jitter, twice, kbits };
    return this;
  }

  /** What the server sees of viewers is another address from now on. */
  rebind() {
    for (const socket of this.#viewers.values()) socket.close();
    this.#viewers.clear();
  }

  close() {
    this.#underWay.forEach(clearTimeout);
    this.rebind();
    this.outside.close();
  }

  #viewer({ address, port }) {
    const key = `${address} ${port}`;
    const known = this.#viewers.get(key);
    if (known) return known;
    const socket = createSocket({ type: "udp4", recvBufferSize: 4 << 20 });
    socket.on("message", (bytes) => this.#pass("down", bytes, () => this.outside.send(bytes, port, address)));
    this.#viewers.set(key, socket);
    return socket;
  }

  #pass(way, bytes, send) {
    const { loss, delay, jitter, twice, kbits } = this.line;
    const now = performance.now();
    const free = Math.max(this.#busy[way], now) + (bytes.length * 8) / kbits;
    if (Math.random() < loss || free - now > QUEUE_MS) return void this.counts.lost++;
    this.#busy[way] = free;
    const copies = Math.random() < twice ? 2 : 1;
    this.counts.through++;
    this.counts.twice += copies - 1;
    for (let copy = 0; copy < copies; copy++) {
      const wait = free - now + delay + jitter * (2 * Math.random() - 1);
      if (wait < 0.5) {
        send();
        continue;
      }
      const timer = setTimeout(() => {
        this.#underWay.delete(timer);
        send();
      }, wait);
      this.#underWay.add(timer);
    }
  }
}
