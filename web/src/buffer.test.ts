import { expect, test } from "vitest";
import { LiveBuffer, type Playback, type Range } from "./buffer.ts";

const FRAME = 0.04;

/** Wall clock and stream clock are the same here, so "live" is `now`. */
function arrive(buffer: LiveBuffer, from: number, to: number): void {
  for (let t = from; t < to - FRAME / 2; t += FRAME) buffer.arrived(1, true, t, t);
}

/** A backlog: everything from `from` to `now` in one instant. */
function backlog(buffer: LiveBuffer, from: number, now: number): void {
  for (let t = from; t < now + FRAME / 2; t += FRAME) buffer.arrived(1, true, t, now);
}

function playback(now: number, currentTime: number, ranges: Range[], more: Partial<Playback> = {}): Playback {
  return { now, currentTime, ranges, seeking: false, pictured: true, appending: false, ...more };
}

/** A buffer that has been playing at live since `start`. */
function playing(start: number, now: number): LiveBuffer {
  const buffer = new LiveBuffer();
  arrive(buffer, start, now);
  for (let t = start + 0.2; t < now; t += 0.2) buffer.advise(playback(t, t - 0.1, [{ start, end: t }]));
  return buffer;
}

test("playback begins at the start of what is buffered, whatever its time is", () => {
  const buffer = new LiveBuffer();
  backlog(buffer, 5000, 5010);
  const advice = buffer.advise(playback(5010, 0, [{ start: 5000, end: 5000.04 }], { pictured: false }));
  expect(advice.seekTo).toBeCloseTo(5000, 1);
});

test("the first picture is waited for before playback jumps to live", () => {
  const buffer = new LiveBuffer();
  backlog(buffer, 0, 10);
  const ranges = [{ start: 0, end: 10.04 }];
  buffer.advise(playback(10, 0, ranges, { pictured: false }));
  expect(buffer.advise(playback(10.01, 0.005, ranges, { pictured: false })).seekTo).toBeNull();
  expect(buffer.advise(playback(10.02, 0.005, ranges)).seekTo).toBeNull();
  expect(buffer.advise(playback(10.07, 0.005, ranges)).seekTo).toBeCloseTo(9.97, 1);
});

test("a backlog that is still arriving is waited for", () => {
  const buffer = new LiveBuffer();
  backlog(buffer, 0, 5);
  buffer.advise(playback(5, 0, [{ start: 0, end: 5 }], { pictured: false }));
  for (let n = 1; n <= 10; n++) {
    buffer.arrived(1, true, 5 + n * FRAME, 5 + n * 0.01);
    expect(buffer.advise(playback(5 + n * 0.01, 0.01, [{ start: 0, end: 5.4 }])).seekTo).toBeNull();
  }
  expect(buffer.advise(playback(5.16, 0.01, [{ start: 0, end: 5.44 }])).seekTo).toBeGreaterThan(5.2);
});

test("a backlog that is still being appended is waited for, so that there is one jump and not three", () => {
  const buffer = new LiveBuffer();
  backlog(buffer, 0, 10);
  buffer.advise(playback(10, 0, [{ start: 0, end: 1 }], { pictured: false }));
  const half = [{ start: 0, end: 5 }];
  expect(buffer.advise(playback(10.1, 0.01, half, { appending: true })).seekTo).toBeNull();
  expect(buffer.advise(playback(11.1, 0.01, half, { appending: true })).seekTo).toBeCloseTo(4.94, 1);
});

test("at live, speed is left alone", () => {
  const buffer = playing(0, 10);
  const ranges = [{ start: 0, end: 10.02 }];
  expect(buffer.advise(playback(10, 10 - buffer.target() - 0.02, ranges))).toEqual({ seekTo: null, rate: 1 });
});

test("a little behind, playback is a little faster; a little ahead, a little slower", () => {
  const buffer = playing(0, 10);
  const ranges = [{ start: 0, end: 10.02 }];
  const fast = buffer.advise(playback(10, 9.6, ranges));
  expect(fast.seekTo).toBeNull();
  expect(fast.rate).toBeGreaterThan(1);
  expect(fast.rate).toBeLessThanOrEqual(1.1);
  const slow = buffer.advise(playback(10, 9.95, ranges));
  expect(slow.rate).toBeLessThan(1);
  expect(slow.rate).toBeGreaterThanOrEqual(0.95);
});

test("a change of speed is kept until the error is put right", () => {
  const buffer = playing(0, 10);
  const rates: number[] = [];
  let position = 9.5;
  for (let now = 10; now < 20; now += 0.2) {
    arrive(buffer, now, now + 0.2);
    const { rate } = buffer.advise(playback(now, position, [{ start: 0, end: now + 0.02 }]));
    if (rate !== rates.at(-1)) rates.push(rate);
    position += 0.2 * rate;
  }
  expect(rates).toEqual([1.1, 1]);
});

test("more than two seconds behind, playback jumps to live", () => {
  const buffer = playing(0, 20);
  const advice = buffer.advise(playback(20, 15, [{ start: 0, end: 20.02 }]));
  expect(advice.seekTo).toBeCloseTo(20 - buffer.target(), 2);
});

test("a decoder that is slow to jump isn't made to start over again", () => {
  const buffer = playing(0, 20);
  expect(buffer.advise(playback(20, 15, [{ start: 0, end: 20.02 }])).seekTo).not.toBeNull();
  buffer.sought(4);
  arrive(buffer, 20, 24);
  const later = buffer.advise(playback(24, 20, [{ start: 0, end: 24 }]));
  expect(later).toEqual({ seekTo: null, rate: 1.25 });
});

test("while nothing arrives, playback neither hurries into the void nor jumps", () => {
  const buffer = playing(0, 10);
  const advice = buffer.advise(playback(14, 10, [{ start: 0, end: 10.02 }]));
  expect(advice).toEqual({ seekTo: null, rate: 1 });
});

test("a gap is hopped over when playback has come to it", () => {
  const buffer = playing(0, 10);
  const ranges = [
    { start: 0, end: 9.9 },
    { start: 10.2, end: 10.6 },
  ];
  arrive(buffer, 10, 10.6);
  buffer.advise(playback(10.4, 9.88, ranges));
  const seekTo = buffer.advise(playback(10.65, 9.88, ranges)).seekTo ?? 0;
  expect(seekTo).toBeGreaterThanOrEqual(10.2);
  expect(seekTo).toBeLessThan(10.6);
});

test("the hole before a picture whose B-frames are yet to come is no gap", () => {
  const buffer = playing(0, 10);
  for (let n = 0; n < 20; n++) {
    const now = 10 + n * FRAME;
    buffer.arrived(1, true, now, now);
    const hole = [
      { start: 0, end: now - 0.06 },
      { start: now + 0.06, end: now + 0.1 },
    ];
    expect(buffer.advise(playback(now, now - 0.1, hole)).seekTo).toBeNull();
  }
});

test("a browser that stops short of a gap is helped over it", () => {
  const buffer = playing(0, 10);
  const ranges = [
    { start: 0, end: 10 },
    { start: 10.04, end: 10.5 },
  ];
  expect(buffer.advise(playback(10.1, 9.7, ranges)).seekTo).toBeNull();
  expect(buffer.advise(playback(10.4, 9.7, ranges)).seekTo).toBeGreaterThan(10.04);
});

test("data that was removed under the picture is followed", () => {
  const buffer = playing(0, 30);
  expect(buffer.advise(playback(30, 5, [{ start: 20, end: 30.02 }])).seekTo).toBeGreaterThan(20);
});

test("waiting at the end of everything is no reason to seek", () => {
  const buffer = playing(0, 10);
  expect(buffer.advise(playback(10.5, 10.1, [{ start: 0, end: 10 }])).seekTo).toBeNull();
});

test("playback that stands still with data ahead is given a push", () => {
  const buffer = playing(0, 10);
  arrive(buffer, 10, 12);
  expect(buffer.advise(playback(10.1, 9.9, [{ start: 0, end: 10.1 }])).seekTo).toBeNull();
  expect(buffer.advise(playback(11.8, 9.9, [{ start: 0, end: 11.8 }])).seekTo).toBeGreaterThan(11);
});

test("running dry raises the target for long, and ever longer", () => {
  const buffer = playing(0, 10);
  const before = buffer.target();
  buffer.stalled(10);
  buffer.stalled(10.1);
  expect(buffer.stalls).toBe(1);
  expect(buffer.target()).toBeCloseTo(before + 0.05);
  const still = (now: number) => {
    buffer.arrived(1, true, now, now);
    buffer.advise(playback(now, now - 0.1, [{ start: 0, end: now + 0.02 }]));
    return buffer.target();
  };
  expect(still(35)).toBeCloseTo(before + 0.05);
  expect(still(41)).toBeCloseTo(before);
  buffer.stalled(50);
  expect(still(100)).toBeCloseTo(before + 0.05);
});

test("jitter raises the target", () => {
  const buffer = new LiveBuffer();
  for (let n = 0; n < 250; n++) buffer.arrived(1, true, n * FRAME, n * FRAME + (n % 5) * 0.08);
  expect(buffer.target()).toBeGreaterThan(0.32);
  expect(buffer.target()).toBeLessThan(0.5);
});

test("while a seek is under way nothing else is asked for", () => {
  const buffer = playing(0, 20);
  const advice = buffer.advise(playback(20, 10, [{ start: 0, end: 20 }], { seeking: true }));
  expect(advice.seekTo).toBeNull();
});

test("a decoder that needs to be further from live gets there by one jump back", () => {
  const buffer = playing(0, 20);
  const ranges = [{ start: 0, end: 20.02 }];
  expect(buffer.keepAway()).toBeCloseTo(0.4);
  expect(buffer.advise(playback(20, 19.9, ranges)).seekTo).toBeCloseTo(20 - buffer.target(), 2);
  expect(buffer.target()).toBeCloseTo(0.5);
  expect(buffer.keepAway()).toBeCloseTo(0.8);
  buffer.keepAway();
  expect(buffer.keepAway()).toBeCloseTo(1.2);
});

test("after that jump, playback that comes too close to live again only slows down", () => {
  const buffer = playing(0, 20);
  buffer.keepAway();
  expect(buffer.advise(playback(20, 19.9, [{ start: 0, end: 20.02 }])).seekTo).not.toBeNull();
  arrive(buffer, 20, 30);
  const advice = buffer.advise(playback(30, 29.9, [{ start: 0, end: 30.02 }]));
  expect(advice.seekTo).toBeNull();
  expect(advice.rate).toBeLessThan(1);
});

test("sound of a low sample rate is kept further from live", () => {
  const targets = [48_000, 16_000, 8_000].map((sampleRate) => {
    const buffer = new LiveBuffer();
    buffer.sound(sampleRate);
    arrive(buffer, 0, 10);
    for (let t = 0; t < 10; t += 0.02) buffer.arrived(2, false, t, t);
    return buffer.target();
  });
  const [high = 0, middle = 0, low = 0] = targets;
  expect(middle - high).toBeCloseTo(1024 / 16_000 - 1024 / 48_000);
  expect(low - high).toBeCloseTo(1024 / 8_000 - 1024 / 48_000);
});

test("media that comes in parts is followed at the distance that the server wants, or further if need be", () => {
  const buffer = new LiveBuffer();
  buffer.inParts(0.2, 0.6);
  for (let t = 0.2; t < 10; t += 0.2) buffer.arrived(0, true, t, t);
  expect(buffer.target()).toBeCloseTo(0.6);
  for (let t = 10; t < 20; t += 0.2)
    buffer.arrived(0, true, t, t + (Math.round(t / 0.2) % 4 === 0 ? 0.8 : 0));
  expect(buffer.target()).toBeGreaterThan(1);
  expect(buffer.target()).toBeLessThan(1.2);
});
