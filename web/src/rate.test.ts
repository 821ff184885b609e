import { expect, test } from "vitest";
import { Rate } from "./rate.ts";

test("a steady flow has its rate, and silence has none", () => {
  const rate = new Rate();
  for (let now = 0; now <= 10_000; now += 40) rate.add(5_000, now);
  expect(rate.bitsPerSecond(10_000) / 1e6).toBeCloseTo(1, 1);
  expect(rate.bitsPerSecond(20_000)).toBe(0);
});
