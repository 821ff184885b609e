import { expect, test } from "vitest";
import { codecName, isAudio, playableCodecs } from "./codecs.ts";

test("only what the browser takes is offered, sound as sound", () => {
  const asked: string[] = [];
  const codecs = playableCodecs({
    isTypeSupported(mime) {
      asked.push(mime);
      return mime.includes("avc1.42e01e") || mime.includes("flac");
    },
  });
  expect(codecs).toEqual(["avc1.42e01e", "flac"]);
  expect(asked).toContain('audio/mp4; codecs="flac"');
});

test("sound is told from pictures by its codec", () => {
  expect(["mp4a.40.2", "opus", "flac", "fLaC"].every(isAudio)).toBe(true);
  expect(["avc1.640033", "hvc1.1.6.L153.B0", "av01.0.04M.08"].some(isAudio)).toBe(false);
});

test("people are told codecs by their names", () => {
  expect(["avc1.64001f", "hvc1.1.6.L93.B0", "fLaC", "vp09.00"].map(codecName)).toEqual([
    "H.264",
    "H.265",
    "FLAC",
    "vp09.00",
  ]);
});
