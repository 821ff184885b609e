import { expect, test } from "vitest";
import { emptiesDecoder, FrameCheck } from "./framecheck.ts";

/** Looks five times a second for `seconds`; answers how often too few pictures came out. */
function watch(check: FrameCheck, seconds: number, shown: number, reordered = true, steady = true): number {
  let alarms = 0;
  for (let n = 0; n <= seconds * 5; n++) {
    const sight = { now: n * 200, samples: n * 5, frames: Math.round(n * 5 * shown), reordered, steady };
    if (check.tooFew(sight)) alarms++;
  }
  return alarms;
}

test("a third of the pictures is too few", () => {
  expect(watch(new FrameCheck(), 2.2, 1 / 3)).toBe(1);
});

test("all of them, or nearly all, are enough", () => {
  expect(watch(new FrameCheck(), 60, 1)).toBe(0);
  expect(watch(new FrameCheck(), 60, 0.85)).toBe(0);
});

test("without B-frames, or while playback is interrupted, nothing is concluded", () => {
  expect(watch(new FrameCheck(), 60, 1 / 3, false)).toBe(0);
  expect(watch(new FrameCheck(), 60, 1 / 3, true, false)).toBe(0);
});

test("a browser that is known to empty its decoder is known by its name", () => {
  expect(emptiesDecoder("Mozilla/5.0 (X11; Linux x86_64; rv:153.0) Gecko/20100101 Firefox/153.0")).toBe(true);
  expect(
    emptiesDecoder("Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 Chrome/156.0.0.0 Safari/537.36"),
  ).toBe(false);
});
