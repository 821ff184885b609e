import { expect, test } from "vitest";
import type { Flow } from "./transport.ts";
import { type Sight, type Verdict, Watchdog } from "./watchdog.ts";

/** One attempt that began at 0, looked at every 200 ms. */
class Scene {
  readonly watchdog = new Watchdog();
  now = 0;
  frames = 0;
  position = 0;
  offline: Sight["offline"] = null;
  flow: Flow = { heardAt: null, mediaAt: null, samples: 0, sampleIntervalMs: 40, hasVideo: true };
  startedAt = 0;

  look(): Verdict {
    const { now, startedAt, flow, offline, frames, position } = this;
    return this.watchdog.check({ now, startedAt, flow, offline, frames, position });
  }

  /** Lets time pass; answers the first verdict that isn't "fine", and when. */
  pass(ms: number, each: () => void = () => undefined): [Verdict, number] {
    const began = this.now;
    while (this.now - began < ms) {
      this.now += 200;
      each();
      const verdict = this.look();
      if (verdict !== "fine") return [verdict, this.now - began];
    }
    return ["fine", ms];
  }

  media(): void {
    this.flow.heardAt = this.now;
    this.flow.mediaAt = this.now;
    this.flow.samples += 5;
  }

  live(): void {
    this.media();
    this.frames += 5;
    this.position += 0.2;
  }

  begin(): void {
    this.startedAt = this.now;
    this.flow = { ...this.flow, heardAt: null, mediaAt: null, samples: 0 };
  }
}

/** Passes over "stalled" to the verdict that ends the attempt. */
function end(scene: Scene, ms: number, each?: () => void): [Verdict, number] {
  const began = scene.now;
  for (;;) {
    const [verdict] = scene.pass(ms - (scene.now - began), each);
    if (verdict !== "stalled") return [verdict, scene.now - began];
  }
}

test("a server that says nothing at all is given up after five seconds", () => {
  expect(new Scene().pass(60_000)).toEqual(["unreachable", 5_200]);
});

test("a camera that takes long to answer is waited for", () => {
  const scene = new Scene();
  scene.flow.heardAt = 0;
  expect(scene.pass(15_000)[0]).toBe("fine");
  expect(scene.pass(10_000)[0]).toBe("silent");
});

test("a flow that stops is shown after two seconds and ended before five", () => {
  const scene = new Scene();
  scene.pass(20_000, () => scene.live());
  expect(scene.pass(60_000)).toEqual(["stalled", 2_200]);
  expect(end(scene, 60_000)[0]).toBe("silent");
  expect(scene.now).toBeLessThan(25_000);
});

test("silence that a new connection didn't end is watched with more patience", () => {
  const scene = new Scene();
  const silences: number[] = [];
  for (let attempt = 0; attempt < 4; attempt++) {
    scene.begin();
    scene.live();
    silences.push(end(scene, 60_000)[1]);
  }
  expect(silences).toEqual([4_200, 8_200, 16_200, 16_200]);
  scene.begin();
  scene.pass(12_000, () => scene.live());
  expect(end(scene, 60_000)).toEqual(["silent", 4_200]);
});

test("a picture that freezes while media flows is noticed within four seconds", () => {
  const scene = new Scene();
  scene.pass(10_000, () => scene.live());
  expect(scene.pass(60_000, () => scene.media())).toEqual(["frozen", 3_600]);
});

test("a camera that sends a picture every five seconds is neither silent nor frozen", () => {
  const scene = new Scene();
  scene.flow.sampleIntervalMs = 5_000;
  const each = () => {
    if (scene.now % 5_000 !== 0) return;
    scene.media();
    scene.flow.samples -= 4;
    scene.frames++;
  };
  scene.media();
  expect(scene.pass(60_000, each)[0]).toBe("fine");
});

test("an absent camera is no fault of the connection, until its retries aren't announced any more", () => {
  const scene = new Scene();
  scene.pass(10_000, () => scene.live());
  scene.offline = { retryInMs: 4_000 };
  scene.flow.heardAt = scene.now;
  expect(scene.pass(30_000)[0]).toBe("fine");
  expect(scene.pass(10_000)[0]).toBe("silent");
});

test("a camera that returns is given time to show a picture", () => {
  const scene = new Scene();
  scene.pass(10_000, () => scene.live());
  scene.offline = { retryInMs: null };
  scene.flow.heardAt = scene.now;
  scene.pass(25_000);
  scene.offline = null;
  expect(scene.pass(3_000, () => scene.media())[0]).toBe("fine");
});

test("a stream of sound alone progresses by its position", () => {
  const scene = new Scene();
  scene.flow.hasVideo = false;
  const sound = () => {
    scene.media();
    scene.position += 0.2;
  };
  expect(scene.pass(20_000, sound)[0]).toBe("fine");
  expect(scene.pass(20_000, () => scene.media())[0]).toBe("frozen");
});

test("a computer that slept reconnects at once", () => {
  const scene = new Scene();
  scene.pass(10_000, () => scene.live());
  scene.now += 3_600_000;
  expect(scene.look()).toBe("slept");
});

test("timers that were held back prove nothing", () => {
  const scene = new Scene();
  scene.pass(10_000, () => scene.live());
  scene.now += 6_000;
  expect(scene.look()).toBe("fine");
  expect(scene.pass(1_000)[0]).toBe("fine");
});

test("after a pause the clock starts again", () => {
  const scene = new Scene();
  scene.pass(10_000, () => scene.live());
  scene.watchdog.pause();
  scene.now += 600_000;
  scene.begin();
  expect(scene.look()).toBe("fine");
});
