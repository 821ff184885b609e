/** One place on the wall: a player, its name, and two buttons. */

import type { LunettePlayer } from "../player.ts";

/** A picture that is not there after this long, in ms, does not keep others waiting. */
const START_MS = 3_000;

/** What can be done with it. */
export interface TileActions {
  /** Its sound on, and that of all others off; or off. */
  sound(): void;
  /** It alone, or all again. */
  enlarge(): void;
  /** It may be that it is no more {@link Tile.starting}. */
  started(): void;
}

/** One of them. */
export class Tile {
  readonly element = document.createElement("section");
  readonly player = document.createElement("lunette-player") as LunettePlayer;
  readonly #name = document.createElement("span");
  readonly #sound = button("Sound");
  readonly #enlarge = button("Enlarge");
  readonly #started: () => void;
  #startedAt = Number.NEGATIVE_INFINITY;

  constructor(actions: TileActions) {
    this.#started = actions.started;
    const label = document.createElement("div");
    label.className = "label";
    label.append(this.#name, this.#sound, this.#enlarge);
    this.element.className = "tile";
    this.element.tabIndex = -1;
    this.player.setAttribute("muted", "");
    this.player.setAttribute("controls", "off");
    this.element.append(this.player, label);
    this.#sound.addEventListener("click", actions.sound);
    this.#enlarge.addEventListener("click", actions.enlarge);
    this.player.addEventListener("dblclick", actions.enlarge);
    this.player.addEventListener("lunette-state", actions.started);
    this.player.video.addEventListener("volumechange", () => this.#showSound());
    this.player.muted = true;
    this.#showSound();
    this.enlarged = false;
  }

  /** What people call it. */
  set name(name: string) {
    if (this.#name.textContent === name) return;
    this.#name.textContent = name;
    this.element.setAttribute("aria-label", name);
  }

  /** From where it plays. */
  get source(): string {
    return this.player.src;
  }

  /** Its picture is on the way. */
  get starting(): boolean {
    return this.player.state === "connecting" && performance.now() - this.#startedAt < START_MS;
  }

  /** Plays from `source`. */
  start(source: string): void {
    this.#startedAt = performance.now();
    setTimeout(this.#started, START_MS);
    this.player.src = source;
  }

  /** It stands alone. */
  set enlarged(enlarged: boolean) {
    this.element.classList.toggle("enlarged", enlarged);
    this.#enlarge.setAttribute("aria-pressed", String(enlarged));
  }

  #showSound(): void {
    this.#sound.setAttribute("aria-pressed", String(!this.player.muted));
  }
}

function button(text: string): HTMLButtonElement {
  const made = document.createElement("button");
  made.type = "button";
  made.textContent = text;
  return made;
}
