/** The measurements over the picture, for whoever wants to know: refreshed while they are shown. */

import type { PlayerStats } from "./state.ts";

const REFRESH_MS = 500;

const PROTOCOLS: Record<string, string> = {
  webrtc: "WebRTC",
  mse: "fMP4 over WebSocket",
  hls: "LL-HLS",
};

/** What is shown, as names and texts. Pure. */
export function statsRows(stats: PlayerStats): [string, string][] {
  const { mode, via, latencyMs, lost, decodedFrames, droppedFrames } = stats;
  const protocol = mode === null ? "–" : (PROTOCOLS[mode] ?? mode);
  return [
    ["Protocol", via ? `${protocol}, ${via.toUpperCase()}` : protocol],
    ["Resolution", stats.resolution ?? "–"],
    ["Codec", stats.codec ?? "–"],
    ["Bitrate", `${(stats.bitrate / 1e6).toFixed(2)} Mbit/s`],
    ["Behind live", latencyMs === null ? "–" : `${latencyMs} ms`],
    ["Loss", lost === null ? "–" : `${(lost * 100).toFixed(1)} %`],
    ["Frames dropped", `${droppedFrames} of ${decodedFrames}`],
    ["Stalls", `${stats.stalls}`],
    ["Reconnects", `${stats.reconnects}`],
  ];
}

/** The panel of one element. */
export class StatsPanel {
  readonly #panel = document.createElement("dl");
  readonly #ask: () => PlayerStats;
  #refreshing: ReturnType<typeof setInterval> | null = null;

  constructor(root: ShadowRoot, ask: () => PlayerStats) {
    this.#ask = ask;
    this.#panel.className = "stats";
    this.#panel.part.add("stats");
    this.#panel.hidden = true;
    root.append(this.#panel);
  }

  /** Shows it, or hides it. */
  show(shown: boolean): void {
    this.#panel.hidden = !shown;
    if (this.#refreshing !== null) clearInterval(this.#refreshing);
    this.#refreshing = shown ? setInterval(() => this.#refresh(), REFRESH_MS) : null;
    if (shown) this.#refresh();
  }

  #refresh(): void {
    const cells = statsRows(this.#ask()).flatMap((row) =>
      row.map((text, i) => {
        const cell = document.createElement(i === 0 ? "dt" : "dd");
        cell.textContent = text;
        return cell;
      }),
    );
    this.#panel.replaceChildren(...cells);
  }
}
