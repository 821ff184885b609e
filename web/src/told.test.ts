import { expect, test } from "vitest";
import { understandTold } from "./told.ts";

test("the camera's state and the stream's end are understood, and nothing else", () => {
  expect(understandTold('{"type":"state","state":"live"}')).toMatchObject({ camera: { state: "live" } });
  const offline = '{"type":"state","state":"offline","reason":"timeout","message":"m","retry_in_ms":4000}';
  expect(understandTold(offline)).toMatchObject({ camera: { reason: "timeout", retryInMs: 4000 } });
  const end = (reason: string) => understandTold(`{"type":"state","state":"ended","reason":"${reason}"}`);
  expect(end("forbidden")).toMatchObject({ failure: { reason: "forbidden", retry: "backoff" } });
  expect(end("removed")).toMatchObject({ failure: { reason: "removed", retry: "slowly" } });
  expect(end("b_frames")).toMatchObject({ failure: { retry: "other-mode" } });
  expect(end("something new")).toMatchObject({ failure: { reason: "server-error", retry: "backoff" } });
  for (const text of ["", "null", "[]", '{"type":"state","state":"odd"}'])
    expect(understandTold(text)).toBeNull();
});
