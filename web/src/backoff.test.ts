import { expect, test } from "vitest";
import { Backoff } from "./backoff.ts";

test("the first failure is retried at once", () => {
  expect(new Backoff().failed(0)).toBe(0);
});

test("delays double up to a cap", () => {
  const backoff = new Backoff();
  const delays = Array.from({ length: 8 }, () => backoff.failed(0));
  expect(delays).toEqual([0, 500, 1000, 2000, 4000, 8000, 8000, 8000]);
});

test("jitter only ever shortens a delay, to no less than half", () => {
  const backoff = new Backoff();
  backoff.failed(0);
  expect(backoff.failed(1)).toBe(250);
  expect(backoff.failed(0.5)).toBe(750);
});

test("success makes the next failure a first one", () => {
  const backoff = new Backoff();
  backoff.failed(0);
  backoff.failed(0);
  backoff.succeeded();
  expect(backoff.failures).toBe(0);
  expect(backoff.failed(0)).toBe(0);
});
