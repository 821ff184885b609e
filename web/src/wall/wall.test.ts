import { expect, test } from "vitest";
import type { Stream } from "../page/api.ts";
import { keyOf, MAX_TILES, read, write } from "./address.ts";
import { columns, played, step } from "./grid.ts";

const track = (width: number, height: number) => ({ kind: "video", codec: "H.264", width, height });
const channel = (id: string, ...tracks: Stream["channels"][number]["tracks"]) => ({
  id,
  state: "live",
  message: null,
  viewers: 0,
  tracks,
});

test("what the URL wants is read, and written as people would", () => {
  const wanted = read("?streams=front,yard/1,,yard/1&cols=3&modes=mse,hls&fit=cover&controls");
  expect(wanted.streams).toEqual([
    { stream: "front", channel: null },
    { stream: "yard", channel: "1" },
  ]);
  expect(wanted).toMatchObject({ cols: 3, modes: "mse,hls", cover: true, controls: true, token: null });
  expect(write(wanted)).toBe("?streams=front,yard/1&cols=3&modes=mse,hls&fit=cover");
  expect(write(read(""))).toBe("");
  expect(read("?streams=").streams).toEqual([]);
});

test("what makes no sense in the URL is let pass, and there is an end to what it may ask for", () => {
  for (const cols of ["0", "-1", "x", "1.5", ""]) expect(read(`?cols=${cols}`).cols).toBeNull();
  expect(read("?cols=1000").cols).toBe(12);
  const many = Array.from({ length: 500 }, (_, n) => `s${n}`).join(",");
  expect(read(`?streams=${many}`).streams).toHaveLength(MAX_TILES);
  expect(read("?streams=%25E0").streams).toEqual([{ stream: "%E0", channel: null }]);
});

test("pictures are as large as can be", () => {
  const hd = [1, 2, 3, 4, 6, 9, 16, 25].map((count) => columns(count, 1920, 1080));
  expect(hd).toEqual([1, 2, 2, 2, 3, 3, 4, 5]);
  expect(columns(4, 1080, 1920)).toBe(1);
  expect(columns(8, 1080, 1920)).toBe(2);
});

test("of a stream with several channels the smallest is shown among others, and the first alone", () => {
  const choice = { stream: "yard", channel: null };
  const stream = (...channels: Stream["channels"]) => ({ id: "yard", name: "Yard", channels });
  const known = stream(
    channel("main", track(1920, 1080)),
    channel("mid", track(1280, 720)),
    channel("sub", track(640, 360)),
  );
  expect(keyOf(played(choice, 4, known))).toBe("yard/sub");
  expect(keyOf(played(choice, 1, known))).toBe("yard");
  const unknown = stream(channel("main", track(1920, 1080)), channel("sub"), channel("third"));
  expect(keyOf(played(choice, 4, unknown))).toBe("yard/sub");
  expect(keyOf(played({ stream: "yard", channel: "main" }, 4, known))).toBe("yard/main");
  expect(keyOf(played(choice, 4, stream(channel("0"))))).toBe("yard");
  expect(keyOf(played(choice, 4, undefined))).toBe("yard");
});

test("arrows lead through the grid, and not out of it", () => {
  expect(["ArrowLeft", "ArrowRight", "ArrowUp", "ArrowDown"].map((key) => step(key, 4, 9, 3))).toEqual([
    3, 5, 1, 7,
  ]);
  expect(step("ArrowUp", 1, 9, 3)).toBe(1);
  expect(step("ArrowDown", 7, 8, 3)).toBe(7);
});
