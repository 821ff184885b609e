import { expect, test } from "vitest";
import type { PlayerStats } from "./state.ts";
import { statsRows } from "./statspanel.ts";

const STATS: PlayerStats = {
  mode: "webrtc",
  via: "udp",
  latencyMs: 42,
  targetMs: null,
  bufferedMs: 42,
  stalls: 1,
  jumpsBack: 0,
  lost: 0.0123,
  decodedFrames: 250,
  droppedFrames: 3,
  bitrate: 2_040_000,
  resolution: "1280x720",
  codec: "H.264",
  reconnects: 0,
};

test("all that is measured has a row, and what isn't a dash", () => {
  const rows = Object.fromEntries(statsRows(STATS));
  expect(rows).toMatchObject({
    Protocol: "WebRTC, UDP",
    Resolution: "1280x720",
    Codec: "H.264",
    Bitrate: "2.04 Mbit/s",
    "Behind live": "42 ms",
    Loss: "1.2 %",
    "Frames dropped": "3 of 250",
  });
  const nothing = {
    ...STATS,
    mode: null,
    via: null,
    latencyMs: null,
    lost: null,
    resolution: null,
    codec: null,
  };
  const empty = Object.fromEntries(statsRows(nothing));
  expect([empty.Protocol, empty["Behind live"], empty.Loss, empty.Resolution]).toEqual(["–", "–", "–", "–"]);
});
