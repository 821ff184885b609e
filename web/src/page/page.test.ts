import { expect, test } from "vitest";
import { parseStreams } from "./api.ts";
import { choose, fromHash, sourceOf, toHash } from "./choice.ts";
import { describe } from "./list.ts";

const JSON_LIST = {
  streams: [
    {
      id: "demo",
      name: "Demo camera",
      channels: [
        {
          id: "0",
          state: "live",
          reason: null,
          message: null,
          viewers: 1,
          tracks: [
            { kind: "video", codec: "H.264", width: 1280, height: 720 },
            { kind: "audio", codec: "AAC" },
          ],
        },
      ],
    },
  ],
};

test("the list is read as the server writes it", () => {
  const [stream] = parseStreams(JSON_LIST);
  expect(stream).toMatchObject({ id: "demo", name: "Demo camera" });
  const [channel] = stream?.channels ?? [];
  expect(channel && describe(channel)).toBe("live · H.264 1280×720 · AAC · 1 viewer");
});

test("an answer that makes no sense is an empty list, not an error", () => {
  for (const json of [null, 7, [], {}, { streams: 3 }, { streams: [null, {}, { id: 5 }] }]) {
    expect(parseStreams(json)).toEqual([]);
  }
});

test("a choice survives the way through the hash, whatever its characters", () => {
  for (const choice of [
    { stream: "front", channel: null },
    { stream: "a/b c#ä%", channel: "1" },
  ]) {
    expect(fromHash(toHash(choice))).toEqual(choice);
  }
  expect(fromHash("")).toBeNull();
  expect(fromHash("#%E0%A4%A")).toEqual({ stream: "%E0%A4%A", channel: null });
});

test("the first channel has the short URL", () => {
  expect(sourceOf({ stream: "front door", channel: null })).toBe("stream/front%20door");
  expect(sourceOf({ stream: "front", channel: "1" })).toBe("stream/front/channel/1");
});

test("an only stream plays by itself; of several, the one that the hash names", () => {
  const one = parseStreams(JSON_LIST);
  const two = [...one, { id: "back", name: "Back", channels: [] }];
  expect(choose("", one)).toEqual({ stream: "demo", channel: null });
  expect(choose("", two)).toBeNull();
  expect(choose("#back", two)).toEqual({ stream: "back", channel: null });
});
