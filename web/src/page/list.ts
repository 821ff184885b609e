/** The list of streams. Updated in place, so that focus and screen readers aren't disturbed by each poll. */

import type { Channel, Stream } from "./api.ts";
import { type Choice, toHash } from "./choice.ts";

interface Entry {
  item: HTMLLIElement;
  link: HTMLAnchorElement;
  dot: HTMLElement;
  name: HTMLElement;
  about: HTMLElement;
}

/** What is listed: a stream, or one channel of a stream that has several. */
interface Row {
  choice: Choice;
  name: string;
  channel: Channel | undefined;
}

/** Shows streams in a `<ul>`. */
export class StreamList {
  readonly #list: HTMLElement;
  #entries = new Map<string, Entry>();

  constructor(list: HTMLElement) {
    this.#list = list;
  }

  /** Shows these. */
  show(streams: readonly Stream[], chosen: Choice | null): void {
    const current = chosen && toHash(chosen);
    const before = this.#entries;
    this.#entries = new Map();
    for (const row of streams.flatMap(rows)) {
      const hash = toHash(row.choice);
      const entry = before.get(hash) ?? makeEntry(hash);
      before.delete(hash);
      this.#entries.set(hash, entry);
      fill(entry, row);
      entry.link.setAttribute("aria-current", String(hash === current));
    }
    for (const { item } of before.values()) item.remove();
    for (const [index, { item }] of [...this.#entries.values()].entries()) {
      const there = this.#list.children[index] ?? null;
      if (there !== item) this.#list.insertBefore(item, there);
    }
  }
}

function rows(stream: Stream): Row[] {
  return stream.channels.length < 2
    ? [{ choice: { stream: stream.id, channel: null }, name: stream.name, channel: stream.channels[0] }]
    : stream.channels.map((channel, index) => ({
        choice: { stream: stream.id, channel: index === 0 ? null : channel.id },
        name: `${stream.name}, channel ${channel.id}`,
        channel,
      }));
}

function makeEntry(hash: string): Entry {
  const item = document.createElement("li");
  const link = document.createElement("a");
  const dot = span("dot");
  const name = span("name");
  const about = span("about");
  link.href = hash;
  dot.setAttribute("aria-hidden", "true");
  link.append(dot, name, about);
  item.append(link);
  return { item, link, dot, name, about };
}

function fill({ dot, name, about }: Entry, row: Row): void {
  dot.dataset.state = row.channel?.state ?? "idle";
  setText(name, row.name);
  setText(about, row.channel ? describe(row.channel) : "no channel");
}

/** One line about a channel. */
export function describe({ state, message, viewers, tracks }: Channel): string {
  const codecs = tracks.map(({ codec, width, height }) =>
    width && height ? `${codec} ${width}×${height}` : codec,
  );
  const words = state === "backoff" ? (message ?? "offline") : state;
  const watched = viewers === 0 ? [] : [viewers === 1 ? "1 viewer" : `${viewers} viewers`];
  return [words, ...codecs, ...watched].join(" · ");
}

function setText(element: HTMLElement, text: string): void {
  if (element.textContent !== text) element.textContent = text;
}

function span(name: string): HTMLElement {
  const element = document.createElement("span");
  element.className = name;
  return element;
}
