import { expect, test } from "vitest";
import { closeFailure, hello, parseMessage } from "./protocol.ts";

test("the hello is what the server waits for", () => {
  expect(JSON.parse(hello(["avc1.640033", "opus"]))).toEqual({
    type: "hello",
    codecs: ["avc1.640033", "opus"],
  });
});

test("an absent camera comes with a reason, a text and a time", () => {
  const text = '{"type":"state","state":"offline","reason":"unauthorized","message":"No","retry_in_ms":4000}';
  expect(parseMessage(text)).toEqual({
    type: "state",
    state: "offline",
    reason: "unauthorized",
    message: "No",
    retryInMs: 4000,
  });
  expect(parseMessage('{"type":"state","state":"offline"}')).toMatchObject({
    reason: "unknown",
    retryInMs: null,
  });
});

test("tracks keep their codec strings, and audio has no size", () => {
  const message = parseMessage(
    '{"type":"tracks","mime":"m","tracks":[{"kind":"video","codec":"avc1.64001f","name":"H.264","width":1280,"height":720},{"kind":"audio","codec":"flac","name":"G.711 A-law"},{"kind":"text"}],"left_out":[{"kind":"video","name":"H.265","why":"w"}]}',
  );
  expect(message).toMatchObject({
    type: "tracks",
    leftOut: [{ kind: "video", name: "H.265" }],
    tracks: [
      { kind: "video", codec: "avc1.64001f", name: "H.264", width: 1280, height: 720 },
      { kind: "audio", codec: "flac", name: "G.711 A-law", width: null, height: null },
    ],
  });
});

test("what this version doesn't know is ignored", () => {
  for (const text of ["", "null", "[]", "7", "{", '{"type":"news"}', '{"type":"state","state":"odd"}']) {
    expect(parseMessage(text)).toBeNull();
  }
});

test("a stream that can't be played is for another transport, a removed one for later", () => {
  expect(closeFailure(4003, "H.265")).toMatchObject({ message: "H.265", retry: "other-mode" });
  expect(closeFailure(4000, "")).toMatchObject({ reason: "removed", retry: "slowly" });
  expect(closeFailure(4004, "")).toMatchObject({ reason: "kicked", retry: "slowly" });
  expect(closeFailure(4005, "")).toMatchObject({ reason: "forbidden", retry: "backoff" });
  for (const code of [1001, 1002, 1006, 1011, 4001, 4002, 4999]) {
    expect(closeFailure(code, "").retry).toBe("backoff");
  }
});
