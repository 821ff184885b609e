import { expect, test } from "vitest";
import { CameraPoll } from "./camerapoll.ts";
import type { Answer } from "./condition.ts";
import type { Camera } from "./transport.ts";

const AWAY: Camera = { state: "offline", reason: "timeout", message: "m", retryInMs: 0 };

/** A poll whose server answers `answer`; `at` looks at a moment in ms, and waits for the answer. */
function make(answer: Answer | null) {
  const server = { answer, asked: 0 };
  const told: string[] = [];
  const poll = new CameraPoll({
    ask: async () => {
      server.asked++;
      return server.answer;
    },
    told: (camera) => told.push(camera.state),
    refused: (failure) => told.push(failure.reason),
  });
  const at = async (now: number, quietSince: number) => {
    poll.tick(now, quietSince);
    await Promise.resolve();
    await Promise.resolve();
  };
  return { poll, server, told, at };
}

test("nothing is asked while media flows, and every two seconds while it doesn't", async () => {
  const { server, at } = make({ status: 200, camera: { state: "live" } });
  for (let now = 0; now <= 5_000; now += 200) await at(now, now);
  expect(server.asked).toBe(0);
  for (let now = 5_000; now <= 10_000; now += 200) await at(now, 5_000);
  expect(server.asked).toBe(3);
});

test("a camera that is away is told, is sign of life, and is back when media is", async () => {
  const { poll, told, at } = make({ status: 200, camera: AWAY });
  poll.media();
  expect(poll.heardAt).toBeNull();
  await at(2_000, 0);
  expect(poll.heardAt).not.toBeNull();
  poll.media();
  poll.media();
  expect(told).toEqual(["offline", "live"]);
});

test("that a camera is live is no excuse for media that stays away", async () => {
  const { poll, told, at } = make({ status: 200, camera: { state: "live" } });
  poll.media();
  await at(2_000, 0);
  expect(told).toEqual(["live"]);
  expect(poll.heardAt).toBeNull();
});

test("a server that doesn't answer, or with an error, was not heard; a refusal is passed on", async () => {
  const { poll, server, told, at } = make(null);
  await at(2_000, 0);
  server.answer = { status: 502, camera: null };
  await at(4_000, 0);
  expect([poll.heardAt, told]).toEqual([null, []]);
  server.answer = { status: 404, camera: null };
  await at(6_000, 0);
  expect(told).toEqual(["no-such-stream"]);
});

test("after its attempt it asks and tells no more", async () => {
  const { poll, server, told, at } = make({ status: 200, camera: AWAY });
  poll.tick(2_000, 0);
  poll.stop();
  await at(9_000, 0);
  expect([server.asked, told]).toEqual([1, []]);
});
