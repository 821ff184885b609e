/** How many pictures stand beside each other, and which channel is shown. Pure. */

import type { Stream } from "../page/api.ts";
import type { Choice } from "../page/choice.ts";

/** The shape of most cameras' pictures. */
const ASPECT = 16 / 9;

/** The columns with which `count` pictures are largest on a screen of `width` by `height`; rather side by side than stacked. */
export function columns(count: number, width: number, height: number): number {
  let best = 1;
  let largest = 0;
  for (let cols = 1; cols <= count; cols++) {
    const rows = Math.ceil(count / cols);
    const size = Math.min(width / cols, (height / rows) * ASPECT);
    if (size >= largest) {
      best = cols;
      largest = size;
    }
  }
  return best;
}

/**
 * The choice as it is played: of a stream with several channels, the one with the smallest picture where it stands among
 * others, and where no channel was asked for. As long as no picture is known, that is the second: cameras have a main
 * and a sub stream.
 */
export function played(choice: Choice, among: number, stream: Stream | undefined): Choice {
  const channels = stream?.channels ?? [];
  const second = channels[1];
  if (choice.channel !== null || among < 2 || second === undefined) return choice;
  const sizes = channels.map(({ tracks }) => tracks.map(({ width, height }) => (width ?? 0) * (height ?? 0)));
  const pictures = sizes.map((of) => Math.max(0, ...of));
  const known = pictures.every((size) => size > 0);
  const smallest = known ? channels[pictures.indexOf(Math.min(...pictures))] : second;
  return { stream: choice.stream, channel: (smallest ?? second).id };
}

/** The index that an arrow key leads to from `from`, in a grid of `count` in `cols` columns. */
export function step(key: string, from: number, count: number, cols: number): number {
  const by = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -cols, ArrowDown: cols }[key] ?? 0;
  const to = from + by;
  return to >= 0 && to < count ? to : from;
}
