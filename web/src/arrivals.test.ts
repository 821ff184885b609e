import { expect, test } from "vitest";
import { Arrivals } from "./arrivals.ts";

const VIDEO = 1;
const AUDIO = 2;
const FRAME = 0.04;

/** Frames of `seconds`, each `delay(n)` after its time on a clock that is 1000 s ahead of the stream's. */
function feed(arrivals: Arrivals, seconds: number, delay: (n: number) => number, from = 0): number {
  const count = Math.round(seconds / FRAME);
  for (let n = 0; n < count; n++) {
    const start = from + n * FRAME;
    arrivals.add(VIDEO, true, start, 1000 + start + delay(n));
  }
  return from + seconds;
}

test("without a sample nothing is known", () => {
  expect(new Arrivals().live(5)).toBeNull();
  expect(new Arrivals().spread()).toBe(0);
});

test("live is where the least delayed sample says it is", () => {
  const arrivals = new Arrivals();
  feed(arrivals, 5, (n) => 0.02 + (n % 2) * 0.03);
  expect(arrivals.live(1005)).toBeCloseTo(4.98);
  expect(arrivals.spread()).toBeCloseTo(0.03);
});

test("the backlog that greets a new viewer is not jitter", () => {
  const arrivals = new Arrivals();
  for (let n = 0; n < 250; n++) arrivals.add(VIDEO, true, n * FRAME, 1010 + n * 0.0001);
  feed(arrivals, 3, () => 0.02, 10);
  expect(arrivals.spread()).toBeLessThan(0.05);
});

test("one lonely hiccup costs nobody latency, a second one does", () => {
  const arrivals = new Arrivals();
  feed(arrivals, 5, (n) => (n === 60 ? 0.5 : 0));
  expect(arrivals.spread()).toBeCloseTo(0);
  feed(arrivals, 3, (n) => (n === 50 ? 0.3 : 0), 5);
  expect(arrivals.spread()).toBeCloseTo(0.3);
});

test("old jitter is forgotten", () => {
  const arrivals = new Arrivals();
  const at = feed(arrivals, 5, (n) => (n % 10) * 0.02);
  expect(arrivals.spread()).toBeCloseTo(0.18);
  feed(arrivals, 14, () => 0, at);
  expect(arrivals.spread()).toBeCloseTo(0);
});

test("a camera's clock that drifts doesn't add up", () => {
  const arrivals = new Arrivals();
  const at = feed(arrivals, 600, (n) => n * FRAME * 0.0005);
  expect(arrivals.spread()).toBeLessThan(0.02);
  expect(arrivals.live(1000 + at)).toBeCloseTo(at - 0.3, 1);
});

test("sound that always comes later than its picture is waited for", () => {
  const arrivals = new Arrivals();
  for (let n = 0; n < 100; n++) {
    const start = n * FRAME;
    arrivals.add(VIDEO, true, start, 1000 + start);
    arrivals.add(AUDIO, false, start - 0.25, 1000 + start);
  }
  expect(arrivals.spread()).toBeCloseTo(0.25);
});

test("after an outage the time line goes on, and the outage is not delay", () => {
  const arrivals = new Arrivals();
  const at = feed(arrivals, 5, () => 0);
  feed(arrivals, 5, () => 30, at); // 30 s later, without a gap in the time line
  expect(arrivals.spread()).toBeCloseTo(0);
  expect(arrivals.live(1040)).toBeCloseTo(10);
});
