/** What parsers that nobody here wrote say of a file of fragmented MP4: ffprobe, mp4box (GPAC's) and mediabunny. */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { ALL_FORMATS, BufferSource, EncodedPacketSink, Input } from "mediabunny";
import { createFile } from "mp4box";

import { run, WORK } from "./processes.mjs";

/** Writes `bytes` where the parsers and a person can look at them. */
export function save(name, bytes) {
  mkdirSync(join(WORK, "media"), { recursive: true });
  const path = join(WORK, "media", `${name}.mp4`);
  writeFileSync(path, bytes);
  return path;
}

/** ffprobe: streams, packet counts, and whatever it has to complain about. */
export async function ffprobe(path) {
  const args = ["-v", "warning", "-count_packets", "-show_streams", "-show_format", "-of", "json", path];
  const output = await run("ffprobe", args);
  const json = output.indexOf("{\n");
  return { complaints: output.slice(0, json).trim(), ...JSON.parse(output.slice(json)) };
}

/** ffmpeg decodes every picture and sample; returns what it complains about. */
export async function decode(path) {
  return (await run("ffmpeg", ["-hide_banner", "-v", "warning", "-i", path, "-f", "null", "-"])).trim();
}

/** mp4box: codecs and sample counts by track. */
export async function mp4box(bytes) {
  const file = createFile();
  const info = new Promise((resolve, reject) => {
    file.onReady = resolve;
    file.onError = (where, what) => reject(new Error(`mp4box: ${where} ${what}`));
  });
  const buffer = new Uint8Array(bytes).buffer;
  buffer.fileStart = 0;
  file.appendBuffer(buffer);
  file.flush();
  const { tracks } = await info;
  return tracks.map((track) => ({ codec: track.codec, samples: file.getTrackSamplesInfo(track.id).length, timescale: track.timescale }));
}

/** mediabunny: codecs, packets and their times by track. */
export async function mediabunny(bytes) {
  const input = new Input({ formats: ALL_FORMATS, source: new BufferSource(bytes) });
  const tracks = [];
  for (const track of await input.getTracks()) {
    const packets = [];
    for await (const packet of new EncodedPacketSink(track).packets()) {
      packets.push({ time: packet.timestamp, key: packet.type === "key", bytes: packet.byteLength });
    }
    tracks.push({ type: track.type, codec: await track.getCodecParameterString(), packets });
  }
  return tracks;
}
