import { expect, test } from "vitest";
import { Lane, type MediaFault } from "./lane.ts";

/** A SourceBuffer whose appends end when the test says so. */
class FakeBuffer extends EventTarget {
  updating = false;
  appended: number[] = [];
  types: string[] = [];
  refuse: string | null = null;

  appendBuffer(bytes: Uint8Array): void {
    if (this.refuse) throw new DOMException("", this.refuse);
    this.updating = true;
    this.appended.push(...bytes);
  }

  remove(): void {
    this.updating = true;
  }

  changeType(mime: string): void {
    this.types.push(mime);
  }

  /** `updating` turns false in one task, `updateend` is fired in a later one. */
  settle(): void {
    this.updating = false;
  }

  end(): void {
    this.updating = false;
    this.dispatchEvent(new Event("updateend"));
  }
}

function make(full = () => false) {
  const buffer = new FakeBuffer();
  const faults: MediaFault[] = [];
  const lane = new Lane(buffer as unknown as SourceBuffer, "a", {
    changed: () => undefined,
    full,
    failed: (fault) => faults.push(fault),
  });
  return { buffer, lane, faults };
}

const bytes = (...values: number[]): Uint8Array => Uint8Array.from(values);

test("what comes while an append is under way is appended together after it", () => {
  const { buffer, lane } = make();
  lane.append(bytes(1), null);
  lane.append(bytes(2), null);
  lane.append(bytes(3), null);
  expect(buffer.appended).toEqual([1]);
  buffer.end();
  expect(buffer.appended).toEqual([1, 2, 3]);
  buffer.end();
  expect(lane.appending).toBe(false);
});

test("nothing is appended twice between the end of updating and updateend", () => {
  const { buffer, lane } = make();
  lane.append(bytes(1), null);
  buffer.settle();
  lane.append(bytes(2), null);
  expect(buffer.appended).toEqual([1]);
  buffer.end();
  expect(buffer.appended).toEqual([1, 2]);
});

test("another codec begins with its own append", () => {
  const { buffer, lane } = make();
  lane.append(bytes(1), "a");
  lane.append(bytes(2), null);
  lane.append(bytes(3), "b");
  lane.append(bytes(4), null);
  buffer.end();
  expect(buffer.appended).toEqual([1, 2]);
  expect(buffer.types).toEqual([]);
  buffer.end();
  expect(buffer.types).toEqual(["b"]);
  expect(buffer.appended).toEqual([1, 2, 3, 4]);
});

test("a full buffer is tried again when room was made, and given up when there is none", () => {
  let room = true;
  const { buffer, lane, faults } = make(() => room);
  buffer.refuse = "QuotaExceededError";
  lane.append(bytes(1), null);
  expect(faults).toEqual([]);
  buffer.refuse = null;
  buffer.end();
  expect(buffer.appended).toEqual([1]);
  buffer.end();
  room = false;
  buffer.refuse = "QuotaExceededError";
  lane.append(bytes(2), null);
  expect(faults).toEqual(["buffer-full"]);
});

test("while held nothing is appended", () => {
  const { buffer, lane } = make();
  lane.hold(true);
  lane.append(bytes(1), null);
  expect(buffer.appended).toEqual([]);
  lane.hold(false);
  expect(buffer.appended).toEqual([1]);
});

test("a queue without end is a fault", () => {
  const { lane, faults } = make();
  lane.hold(true);
  const mebibyte = new Uint8Array(1024 * 1024);
  for (let n = 0; n < 49; n++) lane.append(mebibyte, null);
  expect(faults).toEqual(["buffer-full"]);
});
