/** Judging a row of presented pictures by the clock in their pixels. */
import assert from "node:assert/strict";

/** More between two pictures is a leap, not a few that were dropped. */
const LEAP_MS = 400;
/** How long a clip lasts before its clock begins again. */
export const CLIP_MS = 10_240;
/** The demo clip's length. */
export const DEMO_MS = 10_000;

/** Time in the clip that went by from picture to picture, in ms, where both could be read. */
export function steps(pictures, loopMs) {
  const readable = pictures.filter((picture) => picture.stamp !== null);
  return readable.slice(1).map((picture, i) => {
    const step = picture.stamp - readable[i].stamp;
    // Backward by more than half the clip is the clip beginning again.
    return loopMs && step < -loopMs / 2 ? step + loopMs : step;
  });
}

/**
 * The clock in the pixels goes forward at the pace of the wall clock, and nearly all pictures can be read.
 * @param {object} limits
 * @param {number} limits.pace How far off the wall clock it may be, as a share.
 * @param {number} limits.jumps How often a player may leap to live; what it leaps over does not count.
 * @param {number} limits.backward How often the clock may go back.
 */
export function assertPlays(pictures, { loopMs = CLIP_MS, pace = 0.25, jumps = 1, backward = 0 } = {}) {
  assert.ok(pictures.length >= 20, `only ${pictures.length} pictures`);
  const unread = pictures.filter((picture) => picture.stamp === null).length;
  assert.ok(unread <= pictures.length * 0.05, `${unread} of ${pictures.length} pictures can't be read`);
  const all = steps(pictures, loopMs);
  const back = all.filter((step) => step < 0);
  assert.ok(back.length <= backward, `the clock went back: ${back}`);
  const leaps = all.filter((step) => step > LEAP_MS);
  assert.ok(leaps.length <= jumps, `the clock leapt: ${leaps}`);
  const went = all.filter((step) => step <= LEAP_MS).reduce((sum, step) => sum + step, 0);
  const wall = pictures.at(-1).at - pictures[0].at;
  assert.ok(Math.abs(went / wall - 1) <= pace, `${went} ms of pictures in ${wall} ms`);
}

/** The longest time without a new picture, in ms. */
export function longestGap(pictures) {
  return pictures.slice(1).reduce((longest, picture, i) => Math.max(longest, picture.at - pictures[i].at), 0);
}
