import { expect, test } from "vitest";
import { SoundCheck } from "./soundcheck.ts";

function pictures(check: SoundCheck, fromMs: number, toMs: number): void {
  for (let now = fromMs; now <= toMs; now += 40) check.sample("video", now / 1000, now);
}

test("sound that never comes is noticed after some seconds of pictures", () => {
  const check = new SoundCheck();
  check.begin(["video", "audio"]);
  pictures(check, 0, 1000);
  expect(check.missing(1000)).toBe(false);
  pictures(check, 1000, 1800);
  expect(check.missing(1800)).toBe(true);
});

test("sound that stops is noticed too", () => {
  const check = new SoundCheck();
  check.begin(["video", "audio"]);
  pictures(check, 0, 5000);
  check.sample("audio", 4.9, 5000);
  expect(check.missing(5000)).toBe(false);
  pictures(check, 5000, 7000);
  expect(check.missing(7000)).toBe(true);
});

test("a stream without sound misses none", () => {
  const check = new SoundCheck();
  check.begin(["video"]);
  pictures(check, 0, 9000);
  expect(check.missing(9000)).toBe(false);
});

test("an outage of both is not missing sound", () => {
  const check = new SoundCheck();
  check.begin(["video", "audio"]);
  pictures(check, 0, 5000);
  check.restart();
  expect(check.missing(60_000)).toBe(false);
});
