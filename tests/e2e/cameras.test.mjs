/** Every camera reaches a viewer whole: each codec, each transport, each way to ask for a password. */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";

import { gstCamera, scriptedCamera, udpOnlyCamera } from "./lib/cameras.mjs";
import { Lunette } from "./lib/lunette.mjs";
import { decode, ffprobe, mediabunny, mp4box, save } from "./lib/parsers.mjs";
import { breaks, Viewer } from "./lib/viewer.mjs";

const FPS = 25;
/** Long enough to cross the clip's seam (10.24 s) wherever it begins. */
const FRAMES = 12 * FPS;

/** What the camera sends, and what must arrive. */
const CODECS = {
  baseline: { files: "baseline.mp4", video: /^avc1\.42/i, probe: ["h264"] },
  aac: { files: "main.mp4+tone.m4a", video: /^avc1\.4d/i, audio: "mp4a.40.2", probe: ["h264", "aac"] },
  stereo: { files: "main.mp4+tone_stereo.m4a", video: /^avc1\.4d/i, audio: "mp4a.40.2", probe: ["h264", "aac"] },
  opus: { files: "main.mp4+tone.ogg", video: /^avc1\.4d/i, audio: "opus", probe: ["h264", "opus"] },
  alaw: { files: "main.mp4+tone.alaw", video: /^avc1\.4d/i, audio: "flac", probe: ["h264", "flac"] },
  mulaw: { files: "main.mp4+tone.mulaw", video: /^avc1\.4d/i, audio: "flac", probe: ["h264", "flac"] },
  g722: { files: "main.mp4+tone.g722", video: /^avc1\.4d/i, audio: "flac", probe: ["h264", "flac"] },
  l16: { files: "main.mp4+tone.l16", video: /^avc1\.4d/i, audio: "flac", probe: ["h264", "flac"] },
  bframes: { files: "high_bframes.mp4+tone.m4a", video: /^avc1\.64/i, audio: "mp4a.40.2", probe: ["h264", "aac"] },
  slices: { files: "slices.mp4", video: /^avc1\.4d/i, probe: ["h264"] },
  hevc: { files: "h265.mp4+tone.m4a", video: /^hvc1\./, audio: "mp4a.40.2", probe: ["hevc", "aac"] },
  hevcb: { files: "h265_bframes.mp4", video: /^hvc1\./, probe: ["hevc"] },
};

describe("a camera on gst-rtsp-server", { concurrency: 4 }, () => {
  let camera, digest, basic, lunette;

  before(async () => {
    const files = Object.fromEntries(Object.entries(CODECS).map(([name, codec]) => [name, codec.files]));
    [camera, digest, basic] = await Promise.all([
      gstCamera({ files }),
      gstCamera({ files: { cam: "small.mp4" }, args: ["--auth", "viewer:p@ss/w:rd"] }),
      gstCamera({ files: { cam: "small.mp4" }, args: ["--auth", "viewer:secret", "--scheme", "basic"] }),
    ]);
    const streams = {};
    for (const name of Object.keys(CODECS)) {
      streams[`${name}-tcp`] = { url: camera.url(name), transport: "tcp" };
      streams[`${name}-udp`] = { url: camera.url(name), transport: "udp" };
    }
    streams.digest = { url: digest.url(), username: "viewer", password: "p@ss/w:rd" };
    streams["digest-in-url"] = digest.url("cam", "viewer:p%40ss%2Fw%3Ard");
    streams["digest-udp"] = { url: digest.url(), username: "viewer", password: "p@ss/w:rd", transport: "udp" };
    streams.basic = basic.url("cam", "viewer:secret");
    streams.wrong = basic.url("cam", "viewer:wrong");
    streams.none = basic.url();
    streams.nowhere = camera.url("nowhere");
    lunette = await Lunette.start({ streams });
  });
  after(() => lunette?.stop());

  for (const [name, codec] of Object.entries(CODECS)) {
    test(`${name} arrives over TCP and over UDP, and three parsers agree on what it is`, { timeout: 90_000 }, async () => {
      await Promise.all(["tcp", "udp"].map((transport) => judge(`${name}-${transport}`, codec)));
    });
  }

  async function judge(id, codec) {
    const viewer = new Viewer(lunette.mse(id));
    const frames = await viewer.frames(FRAMES, "video", 40_000);
    viewer.close();
    const { tracks, mime, left_out: leftOut } = viewer.announced;
    const [video, audio] = ["video", "audio"].map((kind) => tracks.find((track) => track.kind === kind));
    assert.match(video.codec, codec.video);
    assert.equal(audio?.codec, codec.audio);
    assert.ok(mime.includes(video.codec), mime);
    assert.deepEqual(leftOut ?? [], []);
    assert.deepEqual([video.width, video.height], [640, 360]);
    assert.ok(frames[0].sync, "the first picture is a key frame");
    assert.deepEqual(breaks(frames, viewer.track("video").timescale), [], `${id}: the video has no hole`);
    await parsersAgree(id, viewer, codec, video, audio);
  }

  async function parsersAgree(id, viewer, codec, video, audio) {
    const bytes = viewer.file();
    const path = save(id, bytes);
    const count = { video: viewer.of("video").length, audio: viewer.of("audio").length };
    const probed = await ffprobe(path);
    assert.deepEqual(probed.streams.map((stream) => stream.codec_name).sort(), codec.probe.toSorted());
    const pictures = probed.streams.find((stream) => stream.codec_type === "video");
    assert.equal(Number(pictures.nb_read_packets), count.video);
    assert.equal(probed.complaints, "", `${id}: ffprobe complains`);
    assert.equal(complaints(await decode(path)), "", `${id}: ffmpeg complains`);

    const byMp4box = await mp4box(bytes);
    assert.deepEqual(byMp4box.map((track) => track.samples).sort(), [count.video, ...(audio ? [count.audio] : [])].sort());
    // mediabunny calls all H.265 hev1, wherever its parameter sets are.
    const plain = (codec) => codec.toLowerCase().replace("hev1", "hvc1");
    const sameCodec = ({ codec: found }) => plain(found) === plain(video.codec);
    assert.ok(byMp4box.some(sameCodec), `mp4box: ${JSON.stringify(byMp4box)}, announced ${video.codec}`);

    const byMediabunny = await mediabunny(bytes);
    const seen = byMediabunny.find((track) => track.type === "video");
    assert.ok(sameCodec(seen), `mediabunny: ${seen.codec}, announced ${video.codec}`);
    assert.equal(seen.packets.length, count.video);
    assert.ok(seen.packets[0].key);
  }

  /** The end of the file cuts reordered pictures off; that is the test's doing. */
  const complaints = (text) => text.split("\n").filter((line) => !/non-existing|Last message|frame num gap/.test(line)).join("\n");

  for (const id of ["digest", "digest-in-url", "digest-udp", "basic"]) {
    test(`a camera that wants a password is played: ${id}`, { timeout: 40_000 }, async () => {
      const viewer = new Viewer(lunette.mse(id));
      await viewer.frames(30);
      viewer.close();
    });
  }

  const REFUSALS = { wrong: "unauthorized", none: "unauthorized", nowhere: "not_found" };
  for (const [id, reason] of Object.entries(REFUSALS)) {
    test(`a viewer of the stream \`${id}\` is told why there is no picture: ${reason}`, { timeout: 30_000 }, async () => {
      const viewer = new Viewer(lunette.mse(id));
      const { message, retry_in_ms: retry } = await viewer.said("offline", (text) => text.state === "offline" && text.reason === reason);
      assert.ok(message.length > 10);
      assert.ok(!message.includes("secret") && !message.includes("viewer:wrong"), message);
      assert.equal(typeof retry, "number");
      assert.equal(viewer.closed, undefined, "the viewer stays");
      const { reason: told } = await lunette.channel(id);
      assert.equal(told, reason);
      viewer.close();
    });
  }
});

describe("a camera that refuses TCP", () => {
  test("is played over UDP without being told to", { timeout: 60_000 }, async () => {
    const camera = await udpOnlyCamera("main.mp4");
    const lunette = await Lunette.start({ streams: { auto: camera.url(), tcp: { url: camera.url(), transport: "tcp" } } });
    const [auto, tcp] = [new Viewer(lunette.mse("auto")), new Viewer(lunette.mse("tcp"))];
    await auto.frames(3 * FPS);
    const { message } = await tcp.said("offline", (text) => text.state === "offline");
    assert.match(message, /TCP|transport/i);
    await lunette.stop();
    await camera.kill();
  });
});

describe("a camera that sends rubbish", { concurrency: true }, () => {
  const FAULTS = { tcp: ["corrupt", "truncate", "noise", "lengths", "jump"], udp: ["corrupt", "truncate", "jump"] };
  const cases = Object.entries(FAULTS).flatMap(([transport, faults]) => faults.map((fault) => [transport, fault]));
  for (const [transport, fault] of cases) {
    test(`${fault} over ${transport}: the picture comes back when the rubbish ends, and memory stays bounded`, { timeout: 90_000 }, async () => {
      const camera = await scriptedCamera({ fault, good: 4, bad: 3 });
      const lunette = await Lunette.start({ streams: { cam: { url: camera.url(), transport }, ok: (await good()).url() } });
      const [viewer, other] = [new Viewer(lunette.mse("cam")), new Viewer(lunette.mse("ok"))];
      await viewer.frames(FPS);
      for (let round = 1; round <= 2; round++) {
        await camera.child.says(new RegExp(`(bad\\s+good.*\\s+){${round}}`), 30_000);
        const before = viewer.fragments.length;
        await viewer.frames(before + 2 * FPS, "video", 15_000);
      }
      assert.deepEqual(breaks(other.of("video"), other.track("video").timescale), [], "the other stream has no hole");
      assert.equal(viewer.closed, undefined, "the viewer stays");
      assert.ok(lunette.rssMib < 200, `${lunette.rssMib} MiB`);
      assert.doesNotMatch(lunette.log, /panicked/);
      await lunette.stop();
      await camera.kill();
    });
  }

  let camera;
  function good() {
    camera ??= gstCamera({ files: { cam: "small.mp4" } });
    return camera;
  }
});

describe("an odd camera", { concurrency: 6 }, () => {
  const ODDITIES = {
    plain: "nothing odd",
    nosprop: "parameter sets that come with the first key frame only",
    wrap: "timestamps and sequence numbers that wrap after three seconds",
    "stap+ornate": "parameter sets in one packet, header extensions, contributing sources, padding",
    twice: "every packet twice",
    nomarker: "no marker bits",
    still: "a timestamp that never changes",
    lf: "lines that end in LF",
    absolute: "an absolute control URL and no Content-Base",
    channels: "other channels than asked for",
    early: "pictures before the answer to PLAY",
    mute: "no answer to PLAY",
    redirect: "a redirect",
    asks: "requests of its own",
    timeout: "a session that wants to hear from us every 4 s",
    nosession: "no Session header",
    metadata: "an ONVIF metadata track before the video",
  };
  const SECONDS = 10;
  let camera, lunette;

  before(async () => {
    camera = await scriptedCamera();
    const ids = [...Object.keys(ODDITIES), "hangup"];
    lunette = await Lunette.start({ streams: Object.fromEntries(ids.map((id) => [id.replace("+", "-"), camera.url(id)])) });
  });
  after(() => lunette?.stop());

  for (const [id, what] of Object.entries(ODDITIES)) {
    test(`is played without a hole: ${what}`, { timeout: 60_000 }, async () => {
      const viewer = new Viewer(lunette.mse(id.replace("+", "-")));
      const frames = await viewer.frames(SECONDS * FPS, "video", 30_000);
      assert.ok(frames[0].sync);
      // A clock that stands still is replaced by arrival, which is not as even.
      if (id !== "still") assert.deepEqual(breaks(frames, viewer.track("video").timescale), []);
      const spanned = (frames.at(-1).dts - frames[0].dts) / viewer.track("video").timescale;
      assert.ok(Math.abs(spanned - SECONDS) < 1.5, `${spanned} s of media in ${SECONDS} s`);
      const { channels: [{ state }] } = (await lunette.streams()).find((stream) => stream.id === id.replace("+", "-"));
      assert.equal(state, "live");
      assert.equal(viewer.texts.filter((text) => text.state === "offline").length, 0, "it was never away");
      viewer.close();
    });
  }

  test("that hangs up every 5 s is dialled again, and the time line goes on", { timeout: 60_000 }, async () => {
    const viewer = new Viewer(lunette.mse("hangup"));
    const frames = await viewer.frames(12 * FPS, "video", 40_000);
    const { timescale } = viewer.track("video");
    const all = breaks(frames, timescale);
    assert.ok(all.every((at) => frames[at].dts > frames[at - 1].dts && frames[at].sync));
    const waits = frames.slice(1).map((f, i) => f.at - frames[i].at);
    assert.ok(Math.max(...waits) < 2000, `${Math.max(...waits)} ms without a picture`);
    assert.equal(viewer.inits.length, 1, "the same format needs no second init segment");
    viewer.close();
  });
});
