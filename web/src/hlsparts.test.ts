import Hls from "hls.js/light";
import { expect, test } from "vitest";
import { fromKeyframes, startOffset } from "./hlsparts.ts";

/** Parts of 200 ms from 0 on; `keyframes` are the numbers of those that begin with one. */
function listing(count: number, keyframes: number[]) {
  const partList = Array.from({ length: count }, (_, i) => ({
    start: i * 0.2,
    independent: keyframes.includes(i),
  }));
  return { edge: count * 0.2, partHoldBack: 0.6, partTarget: 0.2, partList };
}

test("playback begins at the last keyframe that is as far from live as the server wants", () => {
  expect(startOffset(listing(20, [0, 10, 18]))).toBeCloseTo(-2 + 0.01);
});

test("in a playlist that has just begun, playback begins at its only keyframe", () => {
  expect(startOffset(listing(5, [0]))).toBeCloseTo(-1 + 0.01);
  expect(startOffset(listing(2, [1]))).toBeCloseTo(-0.2 + 0.01);
});

test("where no part begins with a keyframe, where to begin is left to hls.js", () => {
  expect(startOffset(listing(20, []))).toBeNull();
  expect(startOffset({ ...listing(0, []), partList: null })).toBeNull();
});

test("the version of hls.js has the inner methods that are overridden", () => {
  const inner = Hls.DefaultConfig.streamController.prototype as unknown as Record<string, unknown>;
  for (const name of ["shouldLoadParts", "setStartPosition", "getNextPart"])
    expect(typeof inner[name]).toBe("function");
  expect(fromKeyframes(Hls).prototype).toBeInstanceOf(Hls.DefaultConfig.streamController);
});
