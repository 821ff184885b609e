/**
 * Clients of RTSPtoWeb and RTSPtoWebRTC, on a page of another origin, as they all are. Written from what goes over the wire
 * (`docs/moving-from-rtsptoweb.md`), in the order and with the demands of those that people use.
 */
import { createServer } from "node:http";

/** Sent to the browser as text. */
function inPage() {
  const screen = () => {
    const video = Object.assign(document.createElement("video"), { muted: true, autoplay: true, playsInline: true });
    document.body.append(video);
    return video;
  };

  /** MSE: 0x09 and the codecs, then segments, all in binary messages. ZoneMinder hands the MediaSource over as it is, and asks before whether it plays. */
  function mse(url, client) {
    const source = new MediaSource();
    const video = screen();
    const watched = { video, messages: 0 };
    const queue = [];
    let buffer;
    const feed = () => {
      if (buffer && !buffer.updating && queue.length > 0) buffer.appendBuffer(queue.shift());
    };
    source.addEventListener("sourceopen", () => {
      const socket = new WebSocket(url);
      socket.binaryType = "arraybuffer";
      socket.onclose = () => (watched.closed = true);
      socket.onmessage = ({ data }) => {
        const bytes = new Uint8Array(data);
        watched.messages += 1;
        if (bytes[0] === 9) {
          watched.codecs = new TextDecoder().decode(bytes.slice(1));
          const type = `video/mp4; codecs="${watched.codecs}"`;
          if (client === "zoneminder" && !MediaSource.isTypeSupported(type)) throw new Error(type);
          buffer = source.addSourceBuffer(type);
          buffer.mode = "segments";
          buffer.addEventListener("updateend", feed);
          return;
        }
        queue.push(data);
        feed();
      };
    });
    if (client === "zoneminder" && "srcObject" in video) {
      try {
        video.srcObject = source;
        return watched;
      } catch {} // as it is done there where a browser takes none
    }
    video.src = URL.createObjectURL(source);
    return watched;
  }

  /** What each client puts into its offer, beside a data channel. */
  const OFFERS = {
    // RTSPtoWeb's own example: one section, which would send, too.
    example: (pc) => void pc.addTransceiver("video", { direction: "sendrecv" }),
    both: (pc) => ["video", "audio"].forEach((kind) => void pc.addTransceiver(kind, { direction: "sendrecv" })),
    zoneminder: () => ({ offerToReceiveAudio: true, offerToReceiveVideo: true }),
    magicmirror: (pc) => void pc.addTransceiver("video", { direction: "recvonly" }),
  };

  /** WebRTC: an offer in Base64 in a form, and the answer in Base64. */
  async function webrtc(url, client = "both") {
    const pc = new RTCPeerConnection();
    const watched = receive(pc);
    const channel = pc.createDataChannel(client === "magicmirror" ? "ping" : "rtsptowebSendChannel");
    channel.onopen = () => {
      watched.channel = "open";
      channel.send("ping");
      if (client === "magicmirror") setInterval(() => channel.readyState === "open" && channel.send("ping"), 200);
    };
    channel.onclose = () => (watched.channel = "closed");
    await pc.setLocalDescription(await pc.createOffer(OFFERS[client](pc)));
    const answer = await post(url, { data: btoa(pc.localDescription.sdp) });
    if (!pc.sctp) throw new Error("ZoneMinder takes no answer without data channels");
    await pc.setRemoteDescription({ type: "answer", sdp: atob(answer) });
    return watched;
  }

  /** RTSPtoWebRTC: first what there is, as text; then an offer for that, without a data channel. */
  async function codecs(server, stream) {
    const response = await fetch(`${server}/stream/codec/${stream}`);
    const text = await response.text();
    const pc = new RTCPeerConnection();
    const watched = receive(pc);
    watched.codecs = `${response.headers.get("content-type")} ${text}`;
    for (const { Type } of JSON.parse(text)) pc.addTransceiver(Type, { direction: "sendrecv" });
    await pc.setLocalDescription(await pc.createOffer());
    const answer = await post(`${server}/stream/receiver/${stream}`, { suuid: stream, data: btoa(pc.localDescription.sdp) });
    await pc.setRemoteDescription({ type: "answer", sdp: atob(answer) });
    return watched;
  }

  function receive(pc) {
    const video = screen();
    const media = new MediaStream();
    pc.ontrack = ({ track }) => {
      media.addTrack(track);
      video.srcObject = media;
      video.play().catch(() => {});
    };
    return { video, pc, channel: "connecting" };
  }

  async function post(url, form) {
    return (await fetch(url, { method: "POST", body: new URLSearchParams(form) })).text();
  }

  /** An offer that nobody will answer. */
  async function offer() {
    const pc = new RTCPeerConnection();
    pc.addTransceiver("video", { direction: "recvonly" });
    pc.addTransceiver("audio", { direction: "recvonly" });
    await pc.setLocalDescription(await pc.createOffer());
    return pc.localDescription.sdp;
  }

  /** What a dashboard fetches; the error's name where the browser does not let it. */
  async function list(server, login) {
    const answer = await fetch(`${server}/streams`, { headers: { Authorization: `Basic ${btoa(login)}` } }).catch(({ name }) => name);
    return typeof answer === "string" ? answer : Object.keys((await answer.json()).payload);
  }

  /** What has been seen by now. */
  const seen = ({ video, messages, codecs, channel, closed }) => ({
    time: video.currentTime, width: video.videoWidth, frames: video.getVideoPlaybackQuality().totalVideoFrames, messages, codecs, channel, closed,
  });

  window.rtsptoweb = { mse, webrtc, codecs, offer, list, seen, watched: {} };
}

/** A site of somebody else, with an empty page. */
export async function site() {
  const server = createServer((_, response) => response.setHeader("content-type", "text/html").end("<!doctype html><body>"));
  await new Promise((resolve) => server.listen(0, resolve).unref());
  const { port } = server.address();
  return { origin: `http://127.0.0.1:${port}`, alias: `http://localhost:${port}` };
}

/** Opens a page at `origin` with those clients in it. */
export async function open(browser, origin) {
  const tab = await browser.newPage();
  await tab.goto(`${origin}/`);
  await tab.evaluate(`(${inPage})(); undefined`);
  const text = (...values) => values.map((value) => JSON.stringify(value)).join(", ");
  return {
    tab,
    offer: () => tab.evaluate("rtsptoweb.offer()"),
    list: (server, login) => tab.evaluate(`rtsptoweb.list(${text(server, login)})`),
    /** Has a client play, which is `name` from then on. */
    play: (name, kind, ...of) => tab.evaluate(`Promise.resolve(rtsptoweb.${kind}(${text(...of)})).then((watched) => { rtsptoweb.watched[${text(name)}] = watched; })`),
    seen: (name) => tab.evaluate(`rtsptoweb.seen(rtsptoweb.watched[${text(name)}])`),
  };
}
