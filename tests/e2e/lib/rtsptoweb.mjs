/** Clients of RTSPtoWeb in a page, written from what goes over the wire (`docs/moving-from-rtsptoweb.md`). */

/** Sent to the browser as text. */
function inPage() {
  const screen = () => {
    const video = Object.assign(document.createElement("video"), { muted: true, autoplay: true, playsInline: true });
    document.body.append(video);
    return video;
  };

  /** MSE: 0x09 and the codecs, then segments, all in binary messages. */
  function mse(url) {
    const source = new MediaSource();
    const video = screen();
    const watched = { video, messages: 0 };
    const queue = [];
    let buffer;
    const feed = () => {
      if (buffer && !buffer.updating && queue.length > 0) buffer.appendBuffer(queue.shift());
    };
    video.src = URL.createObjectURL(source);
    source.addEventListener("sourceopen", () => {
      const socket = new WebSocket(url);
      socket.binaryType = "arraybuffer";
      socket.onclose = () => (watched.closed = true);
      socket.onmessage = ({ data }) => {
        const bytes = new Uint8Array(data);
        watched.messages += 1;
        if (bytes[0] === 9) {
          watched.codecs = new TextDecoder().decode(bytes.slice(1));
          buffer = source.addSourceBuffer(`video/mp4; codecs="${watched.codecs}"`);
          buffer.mode = "segments";
          buffer.addEventListener("updateend", feed);
          return;
        }
        queue.push(data);
        feed();
      };
      watched.socket = socket;
    });
    return watched;
  }

  /** WebRTC: an offer that would send, too, with a data channel, in Base64 in a form. */
  async function webrtc(url) {
    const pc = new RTCPeerConnection();
    const video = screen();
    const watched = { video, pc, channel: "connecting" };
    const media = new MediaStream();
    pc.ontrack = ({ track }) => {
      media.addTrack(track);
      video.srcObject = media;
      video.play().catch(() => {});
    };
    pc.addTransceiver("video", { direction: "sendrecv" });
    pc.addTransceiver("audio", { direction: "sendrecv" });
    const channel = pc.createDataChannel("RTSPtoWeb");
    channel.onopen = () => {
      watched.channel = "open";
      channel.send("ping");
    };
    channel.onclose = () => (watched.channel = "closed");
    await pc.setLocalDescription(await pc.createOffer());
    const body = new URLSearchParams({ data: btoa(pc.localDescription.sdp) });
    const response = await fetch(url, { method: "POST", body });
    watched.status = response.status;
    await pc.setRemoteDescription({ type: "answer", sdp: atob(await response.text()) });
    return watched;
  }

  /** An offer that nobody will answer. */
  async function offer() {
    const pc = new RTCPeerConnection();
    pc.addTransceiver("video", { direction: "recvonly" });
    pc.addTransceiver("audio", { direction: "recvonly" });
    await pc.setLocalDescription(await pc.createOffer());
    return pc.localDescription.sdp;
  }

  /** What has been seen by now. */
  const seen = ({ video, messages, codecs, channel, closed }) => ({
    time: video.currentTime, width: video.videoWidth, frames: video.getVideoPlaybackQuality().totalVideoFrames, messages, codecs, channel, closed,
  });

  window.rtsptoweb = { mse, webrtc, offer, seen, watched: {} };
}

/** Opens a page of `lunette` with those clients in it. */
export async function open(browser, lunette) {
  const tab = await browser.newPage();
  await tab.goto(`${lunette.http}/`);
  await tab.evaluate("document.body.replaceChildren(); undefined");
  await tab.evaluate(`(${inPage})(); undefined`);
  return {
    offer: () => tab.evaluate("rtsptoweb.offer()"),
    play: (kind, url) => tab.evaluate(`Promise.resolve(rtsptoweb.${kind}(${JSON.stringify(url)})).then((watched) => { rtsptoweb.watched.${kind} = watched; })`),
    seen: (kind) => tab.evaluate(`rtsptoweb.seen(rtsptoweb.watched.${kind})`),
  };
}
