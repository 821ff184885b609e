import { expect, test } from "vitest";
import { carryQuery, under, withToken } from "./transport.ts";

const base = (query: string) => new URL(`https://host/cams/stream/front${query}`);

test("a token is added to the query, and stays on the way down", () => {
  const url = withToken(base("?x=1"), "a b");
  expect(under(url, "mse").href).toBe("https://host/cams/stream/front/mse?x=1&token=a+b");
  expect(withToken(base(""), "").href).toBe(base("").href);
});

test("what a playlist lists gets the query, but no token where the path has one", () => {
  const from = base("?x=1&token=a");
  const plain = new URL("https://host/cams/stream/front/channel/0/hls/live/r/part-1.m4s?_HLS_msn=2");
  expect(carryQuery(from, plain).search).toBe("?_HLS_msn=2&x=1&token=a");
  const signed = new URL("https://host/cams/t/abc.def/stream/front/channel/0/hls/live/r/part-1.m4s");
  expect(carryQuery(from, signed).search).toBe("?x=1");
});
