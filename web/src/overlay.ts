/** What lies over the picture: the state, in words, and the buttons. Texts go in as text, never as HTML. */

import type { PlayerState, StateDetail } from "./state.ts";

const TITLES: Record<PlayerState, string> = {
  idle: "",
  connecting: "Connecting…",
  live: "Live",
  stalled: "Waiting for the camera",
  offline: "Camera offline",
  reconnecting: "Reconnecting…",
  paused: "Paused",
  failed: "Can't play",
};

const ICONS = {
  play: "M8 5v14l11-7z",
  pause: "M6 5h4v14H6zm8 0h4v14h-4z",
  sound:
    "M3 9v6h4l5 5V4L7 9zm13.5 3A4.5 4.5 0 0 0 14 8v8a4.5 4.5 0 0 0 2.5-4zM14 3.2v2.1a7 7 0 0 1 0 13.4v2.1a9 9 0 0 0 0-17.6z",
  muted:
    "M3 9v6h4l5 5V4L7 9zm18.6-.2-1.4-1.4-2.6 2.6L15 7.4l-1.4 1.4 2.6 2.6-2.6 2.6 1.4 1.4 2.6-2.6 2.6 2.6 1.4-1.4-2.6-2.6z",
  stats: "M4 20V10h4v10zm6 0V4h4v16zm6 0v-7h4v7z",
  fullscreen: "M5 14H3v7h7v-2H5zM3 10h2V5h5V3H3zm16 9h-5v2h7v-7h-2zM14 3v2h5v5h2V3z",
};

/** What the buttons do. */
export interface OverlayActions {
  togglePlay(): void;
  toggleSound(): void;
  toggleStats(): void;
  toggleFullscreen(): void;
}

/** What the buttons show. */
export interface ControlState {
  controls: boolean;
  paused: boolean;
  muted: boolean;
  /** The browser silenced it, not the viewer. */
  silenced: boolean;
}

/** The overlay of one element. */
export class Overlay {
  readonly #status = make("div", "status");
  readonly #title = make("p", "title");
  readonly #message = make("p", "message");
  readonly #bar = make("div", "bar");
  readonly #badge = make("span", "badge");
  readonly #play: HTMLButtonElement;
  readonly #sound: HTMLButtonElement;
  readonly #fullscreen: HTMLButtonElement;
  readonly #start: HTMLButtonElement;

  constructor(root: ShadowRoot, actions: OverlayActions) {
    this.#status.setAttribute("role", "status");
    this.#status.append(make("div", "spinner"), this.#title, this.#message);
    this.#play = button("Pause", "pause", actions.togglePlay);
    this.#sound = button("Sound", "sound", actions.toggleSound);
    this.#fullscreen = button("Full screen", "fullscreen", actions.toggleFullscreen);
    this.#start = button("Play", "play", actions.togglePlay);
    this.#start.classList.add("start");
    this.#bar.setAttribute("role", "group");
    this.#bar.setAttribute("aria-label", "Player controls");
    const stats = button("Statistics", "stats", actions.toggleStats);
    this.#bar.append(this.#play, this.#sound, this.#badge, stats, this.#fullscreen);
    root.append(this.#status, this.#start, this.#bar);
  }

  /** Shows a state. */
  show(detail: StateDetail): void {
    const { state } = detail;
    this.#status.dataset.state = state;
    this.#badge.dataset.state = state;
    this.#badge.textContent = TITLES[state];
    // The big button says it already, and a tab that nobody sees has no reader.
    const silent = state === "live" || state === "idle" || state === "paused";
    this.#title.textContent = silent ? "" : TITLES[state];
    this.#message.textContent = silent ? "" : (detail.message ?? "");
  }

  /** Shows the buttons as they should be. */
  controls({ controls, paused, muted, silenced }: ControlState): void {
    this.#bar.hidden = !controls;
    this.#bar.toggleAttribute("data-shown", silenced || paused);
    this.#start.hidden = !paused;
    set(this.#play, paused ? "Play" : "Pause", paused ? "play" : "pause");
    set(this.#sound, muted ? "Turn sound on" : "Turn sound off", muted ? "muted" : "sound");
  }
}

function button(label: string, icon: keyof typeof ICONS, action: () => void): HTMLButtonElement {
  const element = document.createElement("button");
  element.type = "button";
  element.addEventListener("click", (event) => {
    event.stopPropagation();
    action();
  });
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("aria-hidden", "true");
  svg.append(document.createElementNS("http://www.w3.org/2000/svg", "path"));
  element.append(svg);
  set(element, label, icon);
  return element;
}

function set(element: HTMLButtonElement, label: string, icon: keyof typeof ICONS): void {
  element.setAttribute("aria-label", label);
  element.title = label;
  element.querySelector("path")?.setAttribute("d", ICONS[icon]);
}

function make(tag: "div" | "p" | "span", name: string): HTMLElement {
  const element = document.createElement(tag);
  element.className = name;
  return element;
}
