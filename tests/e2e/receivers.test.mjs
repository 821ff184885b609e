/** WHEP and its media by receivers that nobody here wrote, besides browsers. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";

import nodeDataChannel from "node-datachannel";
import { RTCPeerConnection, RTCRtpCodecParameters } from "werift";

import { ADDRESS, alone } from "./lib/alone.mjs";
import { gstCamera } from "./lib/cameras.mjs";
import { Lunette } from "./lib/lunette.mjs";
import { WORK } from "./lib/processes.mjs";
import { Track } from "./lib/rtp.mjs";
import { until } from "./lib/wait.mjs";

alone(import.meta);

const FILES = { hevc: "h265.mp4+tone.g722", avc: "main.mp4+tone.mulaw" };
const SECONDS = 3;
const CLOCK = { video: 90_000, audio: 8_000 };

describe("receivers", { concurrency: true }, () => {
  let camera, lunette;

  before(async () => {
    camera = await gstCamera({ files: FILES });
    const streams = Object.fromEntries(Object.keys(FILES).map((id) => [id, camera.url(id)]));
    lunette = await Lunette.start({ streams, tables: { webrtc: { listen: `${ADDRESS}:8555` } } });
  });
  after(() => lunette?.stop());

  async function ask(stream, sdp) {
    const response = await fetch(`${lunette.http}/stream/${stream}/whep`, { method: "POST", headers: { "Content-Type": "application/sdp" }, body: sdp });
    const answer = await response.text();
    assert.equal(response.status, 201, answer);
    return answer;
  }

  /** Waits until some seconds came, and looks at them. */
  async function check({ video, audio }, codec, clip, told) {
    await until("some seconds came", () => video.packets.length > 1 && audio.packets.length > 1 && video.seconds(CLOCK.video) > SECONDS && audio.seconds(CLOCK.audio) > SECONDS - 1, 30_000);
    assert.deepEqual([video.missing, audio.missing], [0, 0]);
    const { pictures, complaints } = video.decoded(codec);
    assert.equal(complaints, "");
    const steps = video.steps();
    assert.ok(Math.abs(pictures - steps.length - 1) < 2, `${pictures} pictures of ${steps.length + 1}`);
    // Those that a viewer catches up with, since the keyframe that it began at, are dated closer together; all others as they were taken.
    const steady = steps.slice(steps.findLastIndex((step) => step < CLOCK.video / 50) + 1);
    const seconds = steady.reduce((sum, step) => sum + step, 0) / CLOCK.video;
    assert.ok(seconds > SECONDS - 1 && Math.abs(steady.length - 25 * seconds) < 3, `${steady.length} pictures in ${seconds} s`);
    // The camera plays the clip again and again.
    const played = readFileSync(join(WORK, "clips", clip));
    const heard = audio.payloads.subarray(0, 8_000);
    assert.ok(Buffer.concat([played, played]).includes(heard), "the sound is the camera's, bit by bit");
    assert.deepEqual(JSON.parse(told.at(-1)), { type: "state", state: "live" });
  }

  test("werift receives H.265, G.722 and a data channel", { timeout: 60_000 }, async () => {
    const video = [new RTCRtpCodecParameters({ mimeType: "video/H265", clockRate: 90_000, rtcpFeedback: [{ type: "nack" }, { type: "nack", parameter: "pli" }] })];
    const audio = [new RTCRtpCodecParameters({ mimeType: "audio/G722", clockRate: 8_000, payloadType: 9 })];
    const pc = new RTCPeerConnection({ iceServers: [], codecs: { video, audio } });
    const tracks = { video: new Track(), audio: new Track() };
    const told = [];
    pc.onTrack.subscribe((track) => track.onReceiveRtp.subscribe((packet) => tracks[track.kind].take(packet.serialize())));
    for (const kind of ["video", "audio"]) pc.addTransceiver(kind, { direction: "recvonly" });
    pc.createDataChannel("lunette").onMessage.subscribe((text) => told.push(String(text)));
    await pc.setLocalDescription(await pc.createOffer());
    await pc.setRemoteDescription({ type: "answer", sdp: await ask("hevc", pc.localDescription.sdp) });
    await check(tracks, "hevc", "tone.g722", told);
    await pc.close();
  });

  test("libdatachannel receives H.264, G.711 and a data channel", { timeout: 60_000 }, async () => {
    const pc = new nodeDataChannel.PeerConnection("viewer", { iceServers: [] });
    const video = new nodeDataChannel.Video("video", "RecvOnly");
    video.addH264Codec(96, "profile-level-id=42e01f;packetization-mode=1;level-asymmetry-allowed=1");
    const audio = new nodeDataChannel.Audio("audio", "RecvOnly");
    audio.addAudioCodec(0, "PCMU");
    const tracks = { video: new Track(), audio: new Track() };
    const told = [];
    const held = [video, audio].map((description, n) => {
      const track = pc.addTrack(description);
      // Reports come on the same path (RFC 5761 §4).
      track.onMessage((packet) => (packet[1] & 0x7f) >= 64 && (packet[1] & 0x7f) < 96 || tracks[["video", "audio"][n]].take(packet));
      return track;
    });
    const channel = pc.createDataChannel("lunette");
    channel.onMessage((text) => told.push(text));
    await until("its addresses are gathered", () => pc.gatheringState() === "complete");
    pc.setRemoteDescription(await ask("avc", pc.localDescription().sdp), "answer");
    await check(tracks, "h264", "tone.mulaw", told);
    held.forEach((track) => track.close());
    pc.close();
    nodeDataChannel.cleanup();
  });
});
