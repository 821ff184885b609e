/** The page: the list of streams, and a player for the chosen one. */

import "../player.ts";
import type { LunettePlayer } from "../player.ts";
import { fetchStreams, type Stream, Unauthorized } from "./api.ts";
import { type Choice, choose, sourceOf } from "./choice.ts";
import { StreamList } from "./list.ts";
import { Login } from "./login.ts";

/** How often the list is fetched while somebody looks at it, in ms. */
const POLL_MS = 2_000;
/** How often the line under the picture is written, in ms. */
const CAPTION_MS = 1_000;

const player = find("player") as LunettePlayer;
const stage = find("stage");
const caption = find("caption");
const note = find("note");
const empty = find("empty");
const list = new StreamList(find("streams"));
let streams: Stream[] = [];
let chosen: Choice | null = null;
let polling = false;
const login = new Login(
  {
    form: find("login") as HTMLFormElement,
    trouble: find("trouble"),
    leave: find("leave") as HTMLButtonElement,
  },
  () => location.reload(),
);

addEventListener("hashchange", show);
document.addEventListener("visibilitychange", poll);
setInterval(writeCaption, CAPTION_MS);
setInterval(poll, POLL_MS);
show(); // a stream that the hash names plays at once, whatever the list says
poll();

async function poll(): Promise<void> {
  if (polling || document.visibilityState === "hidden") return;
  polling = true;
  try {
    streams = await fetchStreams();
    note.textContent = "";
    login.notWanted();
    empty.hidden = streams.length > 0;
    show();
  } catch (error) {
    if (error instanceof Unauthorized) await login.wanted().catch(() => undefined);
    note.textContent = error instanceof Error ? error.message : "The list of streams can't be had";
  } finally {
    polling = false;
  }
}

function show(): void {
  // An only stream that was started stays when others are added.
  chosen = choose(location.hash, streams) ?? chosen;
  list.show(streams, chosen);
  stage.hidden = chosen === null;
  if (chosen === null) return;
  const source = sourceOf(chosen);
  if (player.getAttribute("src") !== source) player.src = source;
  const name = streams.find((stream) => stream.id === chosen?.stream)?.name ?? chosen.stream;
  document.title = `${name} – Lunette`;
}

function writeCaption(): void {
  const { codec, resolution, bitrate, latencyMs } = player.stats();
  const live = player.state === "live";
  const parts = [codec, resolution?.replace("x", "×"), `${(bitrate / 1e6).toFixed(1)} Mbit/s`];
  if (latencyMs !== null) parts.push(`${latencyMs} ms behind live`);
  caption.textContent = live ? parts.filter(Boolean).join(" · ") : "";
}

function find(id: string): HTMLElement {
  const element = document.getElementById(id);
  if (!element) throw new Error(`index.html has no #${id}`);
  return element;
}
