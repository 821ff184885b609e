import { expect, test } from "vitest";
import { Trimmer } from "./trim.ts";

function withKeyframes(...at: number[]): Trimmer {
  const trimmer = new Trimmer();
  for (const time of at) trimmer.keyframe(time);
  return trimmer;
}

test("what lies more than ten seconds back goes, up to a keyframe and not beyond", () => {
  const trimmer = withKeyframes(0, 10, 20, 30, 40);
  expect(trimmer.until(0, 39)).toBeCloseTo(19.999);
  expect(trimmer.until(20, 39)).toBeNull();
});

test("the GOP on screen stays, however long it is", () => {
  expect(withKeyframes(0).until(0, 3600)).toBeNull();
  expect(withKeyframes(0, 3590).until(0, 3595)).toBeNull();
});

test("when the browser's quota is reached, everything before the GOP on screen goes", () => {
  expect(withKeyframes(0, 4, 8).until(0, 9, true)).toBeCloseTo(7.999);
  expect(withKeyframes(0).until(0, 9, true)).toBeNull();
});

test("keyframes that never end don't fill the memory, and trimming still works", () => {
  const trimmer = new Trimmer();
  for (let n = 0; n < 100_000; n++) trimmer.keyframe(n * 0.02);
  expect(trimmer.until(1900, 2000)).toBeGreaterThan(1985);
});
