import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { forgetBlocked, isBlocked, noteBlocked } from "./blocked.ts";

const MINUTE_MS = 60_000;

beforeEach(() => {
  const kept = new Map<string, string>();
  vi.stubGlobal("localStorage", {
    getItem: (key: string) => kept.get(key) ?? null,
    setItem: (key: string, value: string) => kept.set(key, value),
    removeItem: (key: string) => kept.delete(key),
  });
});
afterEach(() => vi.unstubAllGlobals());

test("a server that WebRTC doesn't reach is remembered for ten minutes, or until the network changes", () => {
  expect(isBlocked("a", 0)).toBe(false);
  noteBlocked("a", 0);
  expect(isBlocked("a", 9 * MINUTE_MS)).toBe(true);
  expect(isBlocked("b", 0)).toBe(false);
  expect(isBlocked("a", 11 * MINUTE_MS)).toBe(false);
  expect(isBlocked("a", -1)).toBe(false); // the clock was set back
  forgetBlocked();
  expect(isBlocked("a", 1)).toBe(false);
});

test("few servers are remembered, and rubbish is nobody's", () => {
  for (let n = 0; n < 30; n++) noteBlocked(`host${n}`, n);
  expect(isBlocked("host29", 30)).toBe(true);
  expect(isBlocked("host0", 30)).toBe(false);
  localStorage.setItem("lunette-webrtc-blocked", "[");
  expect(isBlocked("host29", 30)).toBe(false);
});

test("a page that may not store anything plays all the same", () => {
  vi.stubGlobal("localStorage", undefined);
  noteBlocked("a", 0);
  expect(isBlocked("a", 0)).toBe(false);
});
