import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { Session } from "./session.ts";
import type { Failure, Flow, Mode, Sink, Transport, TransportKind } from "./transport.ts";

class FakeTransport implements Transport {
  stopped = false;
  feed: Flow = { heardAt: null, mediaAt: null, samples: 0, sampleIntervalMs: 40, hasVideo: true };

  constructor(readonly sink: Sink) {}

  start(): void {}

  stop(): void {
    this.stopped = true;
  }

  tick(): void {}

  flow(): Flow {
    return this.feed;
  }

  stats() {
    return {
      latencyMs: 1,
      targetMs: 1,
      bufferedMs: 1,
      stalls: 0,
      jumpsBack: 0,
      lost: null,
      via: null,
      bitrate: 1,
      codec: null,
      resolution: null,
    };
  }
}

const BROKEN: Failure = { reason: "disconnected", message: "lost", retry: "backoff" };

function make(modes: Mode[] = ["mse"]) {
  const made: FakeTransport[] = [];
  const states: string[] = [];
  const video = { frames: 0, videoWidth: 0, currentTime: 0 };
  const element = {
    ...video,
    getVideoPlaybackQuality: () => ({ totalVideoFrames: video.frames, droppedVideoFrames: 0 }),
  };
  const kinds = modes.map(
    (mode): TransportKind => ({
      mode,
      supported: () => true,
      create: ({ sink }) => {
        made.push(new FakeTransport(sink));
        return made.at(-1) as FakeTransport;
      },
    }),
  );
  const session = new Session(new URL("http://host/stream/front"), {
    video: element as unknown as HTMLVideoElement,
    transports: kinds,
    play: () => undefined,
    changed: ({ state, reason }) => states.push(reason ? `${state} (${reason})` : state),
  });
  const current = () => made.at(-1) as FakeTransport;
  /** Time passes with a moving picture. */
  const live = (ms: number) => {
    for (let passed = 0; passed < ms; passed += 200) {
      const now = performance.now();
      current().feed = { ...current().feed, heardAt: now, mediaAt: now, samples: current().feed.samples + 5 };
      video.frames += 5;
      vi.advanceTimersByTime(200);
    }
  };
  return { session, made, states, current, live };
}

beforeEach(() => {
  vi.useFakeTimers();
});

afterEach(() => {
  vi.useRealTimers();
  vi.restoreAllMocks();
});

test("a session connects, and is live with the first picture", () => {
  const { session, states, current } = make();
  session.start();
  current().sink.camera({ state: "live" });
  current().sink.picture();
  expect(states).toEqual(["connecting", "live"]);
});

test("a connection that was fine is restored at once", () => {
  const { session, made, states, current, live } = make();
  session.start();
  current().sink.picture();
  live(6_000);
  current().sink.failed(BROKEN);
  vi.advanceTimersByTime(0);
  expect(made).toHaveLength(2);
  current().sink.picture();
  expect(states).toEqual(["connecting", "live", "reconnecting (disconnected)", "live"]);
  expect(session.stats().reconnects).toBe(1);
});

test("failures in a row are retried ever later, and at once when the network is back", () => {
  const { session, made, current } = make();
  vi.spyOn(Math, "random").mockReturnValue(0);
  session.start();
  for (const delay of [0, 500, 1000, 2000, 4000]) {
    current().sink.failed(BROKEN);
    vi.advanceTimersByTime(delay);
  }
  expect(made).toHaveLength(6);
  current().sink.failed(BROKEN);
  vi.advanceTimersByTime(1_000);
  expect(made).toHaveLength(6);
  session.retryNow();
  expect(made).toHaveLength(7);
});

test("an absent camera stays offline through its redials, on the same connection, until it is there", () => {
  const { session, made, states, current, live } = make();
  session.start();
  current().sink.picture();
  live(1_000);
  const offline = { state: "offline", reason: "timeout", message: "m", retryInMs: 1000 } as const;
  current().sink.camera(offline);
  current().sink.camera({ state: "connecting" });
  current().sink.camera(offline);
  vi.advanceTimersByTime(10_000);
  current().sink.camera({ state: "live" });
  live(1_000);
  expect(states).toEqual(["connecting", "live", "offline (timeout)", "live"]);
  expect(made).toHaveLength(1);
});

test("a flow that dies without a word is restored within five seconds", () => {
  const { session, made, states, current, live } = make();
  session.start();
  current().sink.picture();
  live(12_000);
  vi.advanceTimersByTime(5_000);
  expect(made).toHaveLength(2);
  expect(made[0]?.stopped).toBe(true);
  expect(states).toEqual(["connecting", "live", "stalled (silent)", "reconnecting (silent)"]);
});

test("what one transport can't play is left to the next, and tried from the start later", () => {
  const { session, made, states, current } = make(["webrtc", "mse"]);
  const unplayable: Failure = { reason: "unplayable", message: "H.265", retry: "other-mode" };
  session.start();
  current().sink.failed(unplayable);
  expect(made).toHaveLength(2);
  expect(session.stats().mode).toBe("mse");
  current().sink.failed(unplayable);
  expect(states.at(-1)).toBe("failed (unplayable)");
  vi.advanceTimersByTime(16_000);
  expect(made).toHaveLength(3);
  expect(session.stats().mode).toBe("webrtc");
});

test("a WebSocket that a proxy blocks is left for HLS after the second try, which is not interrupted later", () => {
  const { session, made, states, current, live } = make(["mse", "hls"]);
  const blocked: Failure = { reason: "websocket-blocked", message: "proxy", retry: "blocked" };
  session.start();
  current().sink.failed(blocked);
  vi.advanceTimersByTime(0);
  expect(session.stats().mode).toBe("mse");
  current().sink.failed(blocked);
  expect(session.stats().mode).toBe("hls");
  current().sink.picture();
  live(600_000);
  expect(made).toHaveLength(3);
  expect(states).toEqual(["connecting", "connecting (websocket-blocked)", "live"]);
  current().sink.failed(BROKEN);
  vi.advanceTimersByTime(0);
  expect(session.stats().mode).toBe("mse");
});

test("while a mode that failed is left out, the page that comes back goes on with the other", () => {
  const { session, current } = make(["mse", "hls"]);
  session.start();
  current().sink.failed({ reason: "unplayable", message: "H.265", retry: "other-mode" });
  session.stop();
  session.start();
  expect(session.stats().mode).toBe("hls");
});

test("a browser without any transport is told so", () => {
  const { session, states } = make([]);
  session.start();
  expect(states).toEqual(["failed (unsupported)"]);
});

test("a stopped session holds nothing and starts at live again", () => {
  const { session, made, current, live } = make();
  session.start();
  current().sink.picture();
  live(1_000);
  session.stop();
  vi.advanceTimersByTime(600_000);
  expect(made).toHaveLength(1);
  expect(made[0]?.stopped).toBe(true);
  session.start();
  expect(made).toHaveLength(2);
});
