import { expect, test } from "vitest";
import { refusal } from "./condition.ts";
import { under } from "./transport.ts";

test("a refusal is explained by what a plain request answers", () => {
  expect(refusal(404)).toMatchObject({ reason: "no-such-stream", retry: "slowly" });
  expect(refusal(403)).toMatchObject({ reason: "forbidden", retry: "slowly" });
  expect(refusal(502)).toMatchObject({ reason: "unreachable", retry: "backoff" });
  expect(refusal(null)).toMatchObject({ reason: "unreachable", retry: "backoff" });
  expect(refusal(200)).toBeNull();
});

test("a stream's URLs keep its query and any sub-path", () => {
  const mse = (base: string) => under(new URL(base), "mse").href;
  expect(mse("https://host/stream/front")).toBe("https://host/stream/front/mse");
  expect(mse("https://host/sub/stream/front/?token=a%20b#x")).toBe(
    "https://host/sub/stream/front/mse?token=a%20b",
  );
});
