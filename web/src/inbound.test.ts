import { expect, test } from "vitest";
import { Inbound } from "./inbound.ts";

function report(video: object, audio: object = {}): [string, unknown][] {
  return [
    ["v", { id: "v", type: "inbound-rtp", kind: "video", codecId: "c", ...video }],
    ["a", { id: "a", type: "inbound-rtp", kind: "audio", ...audio }],
    ["c", { id: "c", type: "codec", mimeType: "video/H264" }],
    [
      "p",
      {
        id: "p",
        type: "candidate-pair",
        nominated: true,
        currentRoundTripTime: 0.02,
        remoteCandidateId: "r",
      },
    ],
    ["r", { id: "r", type: "remote-candidate", protocol: "tcp" }],
  ];
}

test("bitrate and latency are those since the last look", () => {
  const inbound = new Inbound();
  const first = {
    bytesReceived: 1000,
    framesReceived: 5,
    jitterBufferDelay: 1,
    jitterBufferEmittedCount: 10,
  };
  expect(inbound.read(report(first), 1000)).toBe(true);
  const second = {
    bytesReceived: 3500,
    framesReceived: 30,
    framesPerSecond: 25,
    jitterBufferDelay: 1.5,
    jitterBufferEmittedCount: 20,
  };
  expect(inbound.read(report(second), 2000)).toBe(true);
  expect(inbound).toMatchObject({ bitrate: 20_000, latencyMs: 60, codec: "H.264", via: "tcp" });
  expect(inbound.flow).toEqual({ samples: 30, sampleIntervalMs: 40, hasVideo: true });
  expect(inbound.read(report(second), 3000)).toBe(false);
  expect(inbound.bitrate).toBe(0);
});

test("sound alone is what is watched where there is no picture", () => {
  const inbound = new Inbound();
  expect(inbound.read(report({ bytesReceived: 0 }, { bytesReceived: 160, packetsReceived: 1 }), 0)).toBe(
    true,
  );
  expect(inbound.flow).toEqual({ samples: 1, sampleIntervalMs: 40, hasVideo: false });
});

test("losses that did not come again are a share of all packets", () => {
  const inbound = new Inbound();
  inbound.read(report({ bytesReceived: 1, packetsReceived: 90, packetsLost: 10 }), 0);
  expect(inbound.lost).toBeCloseTo(0.1);
});

test("a report without counters is no media", () => {
  expect(new Inbound().read([], 0)).toBe(false);
});

test("after a restart of ICE the pair in use is the one that the transport names", () => {
  const inbound = new Inbound();
  const restarted: [string, unknown][] = [
    ...report({ bytesReceived: 1 }),
    ["t", { id: "t", type: "transport", selectedCandidatePairId: "q" }],
    ["q", { id: "q", type: "candidate-pair", nominated: true, remoteCandidateId: "s" }],
    ["s", { id: "s", type: "remote-candidate", protocol: "udp" }],
  ];
  inbound.read(restarted, 0);
  expect(inbound.via).toBe("udp");
});

test("where the browser tells how long decoding takes, too, that is in the latency", () => {
  const inbound = new Inbound();
  const at = (framesDecoded: number, totalProcessingDelay: number): [string, unknown][] => [
    [
      "v",
      {
        id: "v",
        type: "inbound-rtp",
        kind: "video",
        bytesReceived: 1,
        framesDecoded,
        totalProcessingDelay,
        jitterBufferDelay: 9,
      },
    ],
  ];
  inbound.read(at(10, 1), 0);
  inbound.read(at(20, 1.3), 1000);
  expect(inbound.latencyMs).toBe(30);
});
