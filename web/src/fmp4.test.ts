import { expect, test } from "vitest";
import { parseFragment, parseInit, splitInit } from "./fmp4.ts";

type Part = number[] | Uint8Array;

const u32 = (value: number): number[] => [24, 16, 8, 0].map((shift) => (value >>> shift) & 255);
const u64 = (value: number): number[] => [...u32(Math.floor(value / 2 ** 32)), ...u32(value)];
const text = (value: string): number[] => [...value].map((char) => char.charCodeAt(0));
const zeros = (count: number): number[] => new Array(count).fill(0);

function box(type: string, ...parts: Part[]): Uint8Array {
  const body = parts.flatMap((part) => [...part]);
  return Uint8Array.from([...u32(8 + body.length), ...text(type), ...body]);
}

function trak(id: number, handler: string, timescale: number): Uint8Array {
  const tkhd = box("tkhd", u32(7), zeros(8), u32(id), zeros(68));
  const mdhd = box("mdhd", u32(0), zeros(8), u32(timescale), zeros(8));
  const hdlr = box("hdlr", zeros(8), text(handler), zeros(13));
  return box("trak", tkhd, box("mdia", mdhd, hdlr));
}

function trex(id: number, duration: number, flags: number): Uint8Array {
  return box("trex", u32(0), u32(id), u32(1), u32(duration), u32(0), u32(flags));
}

const VIDEO = trak(1, "vide", 90_000);
const AUDIO = trak(2, "soun", 48_000);
const INIT = Uint8Array.from([
  ...box("ftyp", text("iso6"), u32(0)),
  ...box("moov", box("mvhd", zeros(100)), VIDEO, AUDIO, box("mvex", trex(1, 0, 0x10000), trex(2, 1024, 0))),
]);
const TRACKS = parseInit(INIT);

function fragment(traf: Uint8Array): Uint8Array {
  return Uint8Array.from([...box("moof", box("mfhd", u32(0), u32(1)), traf), ...box("mdat", zeros(9))]);
}

test("an init segment names its tracks, their clocks and their defaults", () => {
  expect(TRACKS.get(1)).toEqual({
    id: 1,
    kind: "video",
    timescale: 90_000,
    defaultDuration: 0,
    defaultFlags: 0x10000,
  });
  expect(TRACKS.get(2)).toMatchObject({ kind: "audio", timescale: 48_000, defaultDuration: 1024 });
});

test("a fragment tells when its sample starts, how long it lasts and whether it is a keyframe", () => {
  const tfhd = box("tfhd", u32(0x020000), u32(1));
  const tfdt = box("tfdt", u32(0x01000000), u64(90_000 * 100_000));
  const trun = box("trun", u32(0x01000f01), u32(1), u32(0), u32(3600), u32(5), u32(0x02000000), u32(-900));
  expect(parseFragment(fragment(box("traf", tfhd, tfdt, trun)), TRACKS)).toEqual([
    { trackId: 1, start: 100_000, duration: 0.04, compositionOffset: -0.01, keyframe: true },
  ]);
});

test("what a fragment leaves out comes from tfhd, and from the init segment before that", () => {
  const tfhd = box("tfhd", u32(0x020008), u32(1), u32(1800));
  const tfdt = box("tfdt", u32(0), u32(45_000));
  const trun = box("trun", u32(0x000004), u32(2), u32(0x02000000));
  const samples = parseFragment(fragment(box("traf", tfhd, tfdt, trun)), TRACKS);
  expect(samples.map((sample) => [sample.start, sample.duration, sample.keyframe])).toEqual([
    [0.5, 0.02, true],
    [0.52, 0.02, false],
  ]);
  const sound = box("traf", box("tfhd", u32(0), u32(2)), tfdt, box("trun", u32(0), u32(1)));
  expect(parseFragment(fragment(sound), TRACKS)[0]).toMatchObject({
    duration: 1024 / 48_000,
    keyframe: true,
  });
});

test("a fragment of an unknown track, or of nothing at all, has no samples", () => {
  const tfdt = box("tfdt", u32(0), u32(0));
  const traf = box("traf", box("tfhd", u32(0), u32(9)), tfdt, box("trun", u32(0), u32(1)));
  expect(parseFragment(fragment(traf), TRACKS)).toEqual([]);
  expect(parseFragment(new Uint8Array(5000).fill(0x55), TRACKS)).toEqual([]);
  expect(parseFragment(new Uint8Array(), TRACKS)).toEqual([]);
});

test("truncated bytes never throw", () => {
  const tfhd = box("tfhd", u32(0x020000), u32(1));
  const trun = box("trun", u32(0x01000f01), u32(1000), u32(0), u32(3600));
  const whole = fragment(box("traf", tfhd, box("tfdt", u32(0), u32(0)), trun));
  for (let length = 0; length <= whole.length; length++) parseFragment(whole.slice(0, length), TRACKS);
  for (let length = 0; length <= INIT.length; length++) splitInit(INIT.slice(0, length));
});

test("an init segment is taken apart into one for each track", () => {
  const parts = splitInit(INIT);
  expect(parts.map(({ track }) => track.kind)).toEqual(["video", "audio"]);
  for (const { track, bytes } of parts) {
    expect([...parseInit(bytes).values()]).toEqual([track]);
    const length = new DataView(bytes.buffer).getUint32(0); // ftyp, then moov to the end
    expect(length + new DataView(bytes.buffer).getUint32(length)).toBe(bytes.byteLength);
  }
});
