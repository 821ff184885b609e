/** A WHEP viewer in a page, by the browser's own means. */
import { Page, Player } from "./browsers.mjs";

/** Sent to the browser as text, after `inPage`. */
function whepInPage() {
  const { Watched } = window.lunetteTest;

  /** Looks like a player to `Watched`: a shadow root with a video in it. */
  async function whep(url, { video = true, audio = true, data = false } = {}) {
    const element = document.createElement("div");
    const screen = Object.assign(document.createElement("video"), { muted: true, autoplay: true, playsInline: true });
    screen.style.cssText = "display:inline-block;width:30vw;height:40vh";
    element.attachShadow({ mode: "open" }).append(screen);
    document.body.append(element);
    const watched = new Watched(element);
    const pc = new RTCPeerConnection({ bundlePolicy: "max-bundle" });
    const media = new MediaStream();
    Object.assign(watched, { pc, url });
    pc.ontrack = ({ track }) => {
      media.addTrack(track);
      screen.srcObject = media;
      screen.play().catch(() => {});
    };
    pc.onconnectionstatechange = () => watched.states.push({ at: Date.now(), state: pc.connectionState });
    if (audio) pc.addTransceiver("audio", { direction: "recvonly" });
    if (video) pc.addTransceiver("video", { direction: "recvonly" });
    if (data) {
      watched.told = [];
      const channel = pc.createDataChannel("lunette");
      channel.onmessage = ({ data }) => watched.told.push(data);
      channel.onclose = () => watched.told.push("closed");
    }
    await pc.setLocalDescription(await pc.createOffer());
    const asked = performance.now();
    const response = await fetch(url, { method: "POST", headers: { "Content-Type": "application/sdp" }, body: pc.localDescription.sdp });
    watched.answered = { status: response.status, ms: performance.now() - asked, etag: response.headers.get("ETag") };
    if (!response.ok) throw new Error(`${response.status}: ${await response.text()}`);
    watched.session = new URL(response.headers.get("Location"), response.url).href;
    await pc.setRemoteDescription({ type: "answer", sdp: await response.text() });
    watched.accepted = Date.now();
    return watched;
  }

  /** What the browser counts of the media it receives. */
  Watched.prototype.inbound = async function () {
    const reports = [...(await this.pc.getStats()).values()];
    const of = (kind) => reports.find((report) => report.type === "inbound-rtp" && report.kind === kind);
    const transport = reports.find((report) => report.type === "transport");
    const pair = reports.find(({ id }) => id === transport?.selectedCandidatePairId);
    const by = reports.find(({ id }) => id === pair?.remoteCandidateId)?.protocol;
    return { video: of("video"), audio: of("audio"), transport, by, connected: this.pc.connectionState };
  };

  /** Another network: the offer of a restart, and the server's answer to it. */
  Watched.prototype.restart = async function () {
    const { pc } = this;
    await pc.setLocalDescription(await pc.createOffer({ iceRestart: true }));
    const lines = pc.localDescription.sdp.split(/\r?\n/);
    const fragment = ["ice-ufrag", "ice-pwd"].map((key) => lines.find((line) => line.startsWith(`a=${key}:`)));
    const response = await fetch(this.session, {
      method: "PATCH",
      headers: { "Content-Type": "application/trickle-ice-sdpfrag", "If-Match": "*" },
      body: `${fragment.join("\r\n")}\r\n`,
    });
    const answer = await response.text();
    const fresh = (key) => new RegExp(`a=${key}:(\\S+)`).exec(answer)[1];
    const sdp = pc.remoteDescription.sdp
      .replace(/a=ice-ufrag:\S+/g, `a=ice-ufrag:${fresh("ice-ufrag")}`)
      .replace(/a=ice-pwd:\S+/g, `a=ice-pwd:${fresh("ice-pwd")}`);
    await pc.setRemoteDescription({ type: "answer", sdp });
    return { status: response.status, etag: response.headers.get("ETag") };
  };

  window.lunetteTest.whep = whep;
}

/** A page that plays WHEP. */
export class WhepPage extends Page {
  static async open(browser, lunette) {
    const page = new WhepPage((await Page.open(browser, lunette)).tab);
    await page.tab.evaluate(`(${whepInPage})(); undefined`);
    page.http = lunette.http;
    return page;
  }

  /** Plays `stream`, with a token where it takes one, and calls the viewer `id`. */
  async whep(stream, { id = stream, token, ...options } = {}) {
    const url = `${this.http}/stream/${stream}/whep${token ? `?token=${token}` : ""}`;
    const arguments_ = `${JSON.stringify(url)}, ${JSON.stringify(options)}`;
    await this.tab.evaluate(`lunetteTest.whep(${arguments_}).then((watched) => { lunetteTest.watched[${JSON.stringify(id)}] = watched; })`);
    return new WhepViewer(this, id);
  }
}

/** A WHEP viewer in a page. */
export class WhepViewer extends Player {
  #do(expression) {
    return this.page.tab.evaluate(`lunetteTest.watched[${JSON.stringify(this.id)}].${expression}`);
  }

  inbound() {
    return this.#do("inbound()");
  }

  restart() {
    return this.#do("restart()");
  }

  answered() {
    return this.#do("answered");
  }

  session() {
    return this.#do("session");
  }

  told() {
    return this.#do("told");
  }

  async remove() {
    await this.#do("pc.close()");
    await super.remove();
  }
}
