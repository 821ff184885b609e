/** The pictures: which there are, which one is heard, and which one stands alone. */

import type { Stream } from "../page/api.ts";
import { type Choice, sourceOf } from "../page/choice.ts";
import { keyOf, type Wanted } from "./address.ts";
import { columns, played, step } from "./grid.ts";
import { Tile } from "./tile.ts";

/** How many pictures are waited for at once: a browser that begins with all of them shows none for long. */
const STARTING = 4;

interface Entry {
  choice: Choice;
  tile: Tile;
  /** From where it is to play. */
  source: string;
}

/** Shows streams in a grid. */
export class Wall {
  readonly #grid: HTMLElement;
  #entries = new Map<string, Entry>();
  #streams: readonly Stream[] = [];
  #cols: number | null = null;
  #shownCols = 1;
  #alone: string | null = null;

  constructor(grid: HTMLElement) {
    this.#grid = grid;
    new ResizeObserver(() => this.#layOut()).observe(grid);
    grid.addEventListener("keydown", (event) => this.#key(event));
    grid.addEventListener("focusin", ({ target }) => this.#roam(target));
  }

  /** Shows `choices`; `streams` are what is known of them. What is shown already plays on. */
  show(choices: readonly Choice[], streams: readonly Stream[], wanted: Wanted): void {
    this.#streams = streams;
    this.#cols = wanted.cols;
    const before = this.#entries;
    this.#entries = new Map();
    for (const choice of choices) {
      const key = keyOf(choice);
      const entry = before.get(key) ?? this.#make(key, choice, wanted);
      before.delete(key);
      this.#entries.set(key, entry);
    }
    for (const { tile } of before.values()) tile.element.remove();
    for (const [index, { tile }] of [...this.#entries.values()].entries()) {
      const there = this.#grid.children[index] ?? null;
      if (there !== tile.element) this.#grid.insertBefore(tile.element, there);
    }
    if (this.#alone !== null && !this.#entries.has(this.#alone)) this.#alone = null;
    this.#update();
  }

  #make(key: string, choice: Choice, wanted: Wanted): Entry {
    const tile = new Tile({
      sound: () => this.#hear(key),
      enlarge: () => this.#enlarge(key),
      started: () => this.#start(),
    });
    if (wanted.modes) tile.player.modes = wanted.modes;
    if (wanted.token) tile.player.token = wanted.token;
    return { choice, tile, source: "" };
  }

  #update(): void {
    for (const [key, entry] of this.#entries) {
      const { choice, tile } = entry;
      const stream = this.#streams.find(({ id }) => id === choice.stream);
      const alone = key === this.#alone;
      const among = alone ? 1 : this.#entries.size;
      const name = stream?.name ?? choice.stream;
      tile.name = choice.channel === null ? name : `${name}, channel ${choice.channel}`;
      tile.element.hidden = this.#alone !== null && !alone;
      tile.enlarged = alone;
      // A picture that nobody sees keeps what it has: it would start for nobody.
      if (!tile.element.hidden) entry.source = sourceOf(played(choice, among, stream));
    }
    this.#start();
    this.#layOut();
    this.#roam(document.activeElement);
  }

  /** Has those play that are to, a few at a time. */
  #start(): void {
    const seen = [...this.#entries.values()].filter(({ tile }) => !tile.element.hidden);
    let starting = seen.filter(({ tile }) => tile.starting).length;
    for (const { tile, source } of seen) {
      if (tile.source === source) continue;
      if (starting >= STARTING) return;
      starting += 1;
      tile.start(source);
    }
  }

  #layOut(): void {
    const { clientWidth, clientHeight } = this.#grid;
    const count = this.#alone === null ? this.#entries.size : 1;
    const cols = this.#alone === null ? this.#cols : 1;
    this.#shownCols = cols ?? columns(count, clientWidth, clientHeight);
    this.#grid.style.setProperty("--cols", String(this.#shownCols));
  }

  #hear(key: string): void {
    const before = this.#entries.get(key)?.tile.player.muted ?? true;
    for (const [other, { tile }] of this.#entries) tile.player.muted = other !== key || !before;
  }

  #enlarge(key: string): void {
    this.#alone = this.#alone === key ? null : key;
    this.#update();
    this.#entries.get(key)?.tile.element.focus();
  }

  /** Tab leads to one tile, arrows to the others. */
  #roam(to: EventTarget | null): void {
    const tiles = [...this.#entries.values()].map(({ tile }) => tile.element);
    const here = tiles.find((tile) => to instanceof Node && tile.contains(to));
    const stop = here ?? tiles.find(({ tabIndex, hidden }) => tabIndex === 0 && !hidden) ?? tiles[0];
    for (const tile of tiles) tile.tabIndex = tile === stop ? 0 : -1;
  }

  #key(event: KeyboardEvent): void {
    if (event.altKey || event.ctrlKey || event.metaKey) return;
    const keys = [...this.#entries.keys()];
    const tiles = [...this.#entries.values()].map(({ tile }) => tile.element);
    const at = tiles.findIndex((tile) => tile.contains(document.activeElement));
    const key = keys[at];
    if (key === undefined) return;
    const onButton = event.target instanceof HTMLButtonElement;
    if (event.key.startsWith("Arrow") && this.#alone === null) {
      tiles[step(event.key, at, tiles.length, this.#shownCols)]?.focus();
    } else if (event.key === "Enter" && !onButton) this.#enlarge(key);
    else if (event.key === "Escape" && this.#alone !== null) this.#enlarge(this.#alone);
    else if (event.key === "m") this.#hear(key);
    else return;
    event.preventDefault();
  }
}
