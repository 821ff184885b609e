import { expect, test } from "vitest";
import { Modes } from "./modes.ts";

const MINUTE_MS = 60_000;

test("the first mode is used while it fails for reasons that any mode would", () => {
  const modes = new Modes(["mse", "hls"]);
  for (let now = 0; now < 100; now++) expect(modes.failed("mse", "backoff", now)).toBe(false);
  expect(modes.failed("mse", "slowly", 100)).toBe(false);
  expect(modes.current(100)).toBe("mse");
});

test("a way that is blocked twice in a row is left for the next mode", () => {
  const modes = new Modes(["mse", "hls"]);
  expect(modes.failed("mse", "blocked", 0)).toBe(false);
  expect(modes.failed("mse", "backoff", 1)).toBe(false);
  expect(modes.failed("mse", "blocked", 2)).toBe(false);
  expect(modes.current(2)).toBe("mse");
  expect(modes.failed("mse", "blocked", 3)).toBe(true);
  expect(modes.current(3)).toBe("hls");
});

test("a mode that can't play the stream is left at once", () => {
  const modes = new Modes(["webrtc", "mse", "hls"]);
  expect(modes.failed("webrtc", "other-mode", 0)).toBe(true);
  expect(modes.failed("mse", "other-mode", 1)).toBe(true);
  expect(modes.current(1)).toBe("hls");
});

test("a mode that was left has its turn again after five minutes", () => {
  const modes = new Modes(["mse", "hls"]);
  modes.failed("mse", "other-mode", 0);
  expect(modes.current(5 * MINUTE_MS - 1)).toBe("hls");
  expect(modes.current(5 * MINUTE_MS)).toBe("mse");
});

test("another network gives all modes another chance", () => {
  const modes = new Modes(["mse", "hls"]);
  modes.failed("mse", "other-mode", 0);
  modes.forget();
  expect(modes.current(1)).toBe("mse");
});

test("when no mode is left there is no hurry, and all begin anew", () => {
  const modes = new Modes(["mse", "hls"]);
  expect(modes.failed("mse", "other-mode", 0)).toBe(true);
  expect(modes.failed("hls", "other-mode", 1)).toBe(false);
  expect(modes.current(2)).toBe("mse");
});

test("an only mode that is blocked stays, and without any there is nothing to use", () => {
  const modes = new Modes(["mse"]);
  modes.failed("mse", "blocked", 0);
  expect(modes.failed("mse", "blocked", 1)).toBe(false);
  expect(modes.current(2)).toBe("mse");
  expect(new Modes([]).current(0)).toBeNull();
});
