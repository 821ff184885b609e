import { expect, test } from "vitest";
import { understand } from "./whep.ts";

const URL_ = "https://host/cams/stream/front/whep?token=t";

function refused(status: number, reason: string, headers: Record<string, string> = {}) {
  const body = JSON.stringify({ status, reason, detail: "Because." });
  return understand(status, new Headers(headers), body, URL_);
}

test("an answer names its session below the endpoint, whatever stands before it", () => {
  const headers = new Headers({ Location: "whep/abc", "Lunette-Left-Out": "AAC" });
  expect(understand(201, headers, "v=0", URL_)).toEqual({
    kind: "answer",
    sdp: "v=0",
    session: "https://host/cams/stream/front/whep/abc?token=t",
    leftOut: "AAC",
    servers: [],
  });
});

test("a camera that is away is asked for again when the server says", () => {
  expect(refused(409, "source_offline", { "Retry-After": "7" })).toEqual({
    kind: "offline",
    message: "Because.",
    retryInMs: 7_000,
  });
  expect(refused(409, "source_offline")).toMatchObject({ retryInMs: 5_000 });
});

test("what WebRTC can't carry is left to other modes at once", () => {
  for (const reason of ["b_frames", "unsupported_codec", "no_media"]) {
    const failure = { reason: reason.replaceAll("_", "-"), message: "Because.", retry: "other-mode" };
    expect(refused(422, reason)).toEqual({ kind: "failure", failure });
  }
});

test("a server without WHEP is one for other modes, and a stream that isn't there is none for any", () => {
  expect(understand(404, new Headers(), "", URL_)).toMatchObject({ failure: { retry: "other-mode" } });
  expect(refused(404, "no_stream")).toMatchObject({ failure: { retry: "slowly" } });
  expect(refused(503, "overload")).toMatchObject({ failure: { retry: "backoff" } });
});
