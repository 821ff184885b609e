/** The wall: many streams at once, as the URL says which. docs/wall.md is its reference. */

import "../player.ts";
import { fetchStreams, type Stream, Unauthorized } from "../page/api.ts";
import type { Choice } from "../page/choice.ts";
import { MAX_COLS, MAX_TILES, read, write } from "./address.ts";
import { fadeWhenIdle, keepScreenOn } from "./awake.ts";
import { fill, ticked } from "./picker.ts";
import { Wall } from "./wall.ts";

/** How often the list of streams is fetched while somebody looks at it, in ms. */
const POLL_MS = 10_000;

const choose = find("choose", HTMLButtonElement);
const cols = find("cols", HTMLSelectElement);
const full = find("full", HTMLButtonElement);
const note = find("note", HTMLElement);
const picker = find("picker", HTMLFormElement);
const wall = new Wall(find("grid", HTMLElement));
let wanted = read(location.search);
let streams: Stream[] = [];
let polling = false;

document.body.classList.toggle("cover", wanted.cover);
cols.append(new Option("auto", ""), ...Array.from({ length: MAX_COLS }, (_, n) => new Option(`${n + 1}`)));
full.hidden = !document.fullscreenEnabled;
choose.addEventListener("click", () => openPicker(picker.hidden === true));
picker.addEventListener("change", () =>
  change({ streams: read(`?streams=${ticked(picker).join(",")}`).streams }),
);
cols.addEventListener("change", () => change({ cols: cols.value ? Number(cols.value) : null }));
full.addEventListener("click", toggleFull);
addEventListener("keydown", (event) => {
  const typing = event.target instanceof HTMLInputElement || event.target instanceof HTMLSelectElement;
  if (event.key === "f" && !typing && !event.ctrlKey && !event.metaKey && !event.altKey) toggleFull();
  if (event.key === "Escape" && !picker.hidden) openPicker(false);
});
document.addEventListener("visibilitychange", poll);
setInterval(poll, POLL_MS);
fadeWhenIdle(document.body);
keepScreenOn();
openPicker(wanted.controls);
poll();

async function poll(): Promise<void> {
  if (polling || document.visibilityState === "hidden") return;
  polling = true;
  try {
    streams = await fetchStreams();
    note.textContent = streams.length === 0 ? "No streams are configured yet." : "";
  } catch (error) {
    note.textContent = trouble(error);
  } finally {
    polling = false;
  }
  show(); // what the URL names plays whatever became of the list, which is only asked first which channels there are
}

/** What is wrong, where it concerns what is shown. */
function trouble(error: unknown): string {
  if (!(error instanceof Unauthorized)) return error instanceof Error ? error.message : "";
  return wanted.streams === null ? "Log in on the first page to see all streams" : "";
}

function show(): void {
  const choices = wanted.streams ?? streams.map(({ id }): Choice => ({ stream: id, channel: null }));
  wall.show(choices.slice(0, MAX_TILES), streams, wanted);
  fill(picker, streams, choices);
  cols.value = wanted.cols === null ? "" : String(wanted.cols);
}

function change(to: Partial<typeof wanted>): void {
  wanted = { ...wanted, ...to };
  history.replaceState(null, "", `${location.pathname}${write(wanted)}`);
  show();
}

function openPicker(open: boolean): void {
  picker.hidden = !open;
  choose.setAttribute("aria-expanded", String(open));
}

function toggleFull(): void {
  const done = document.fullscreenElement
    ? document.exitFullscreen()
    : document.documentElement.requestFullscreen();
  done.catch(() => undefined);
}

function find<T extends HTMLElement>(id: string, kind: abstract new (...args: never[]) => T): T {
  const element = document.getElementById(id);
  if (!(element instanceof kind)) throw new Error(`wall.html has no #${id}`);
  return element;
}
