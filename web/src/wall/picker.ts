/** The list from which people choose what is on the wall. */

import type { Stream } from "../page/api.ts";
import type { Choice } from "../page/choice.ts";
import { keyOf } from "./address.ts";

/** Shows `streams` in `form`, those of `choices` ticked. What the user has in hand stays as it is. */
export function fill(form: HTMLFormElement, streams: readonly Stream[], choices: readonly Choice[]): void {
  const chosen = new Set(choices.map(keyOf));
  const rows = streams.flatMap(rowsOf);
  const known = [...form.elements].map((input) => (input as HTMLInputElement).value);
  if (known.join() !== rows.map(({ key }) => key).join()) form.replaceChildren(...rows.map(rowElement));
  for (const input of form.elements) {
    if (input instanceof HTMLInputElement) input.checked = chosen.has(input.value);
  }
}

/** The keys that are ticked, in the order of the list. */
export function ticked(form: HTMLFormElement): string[] {
  const inputs = [...form.elements].filter((input) => input instanceof HTMLInputElement);
  return inputs.filter(({ checked }) => checked).map(({ value }) => value);
}

interface Row {
  key: string;
  name: string;
}

/** A stream, and those of its channels that one would ask for by themselves. */
function rowsOf({ id, name, channels }: Stream): Row[] {
  const whole = { key: keyOf({ stream: id, channel: null }), name };
  if (channels.length < 2) return [whole];
  const each = channels.map((channel) => ({
    key: keyOf({ stream: id, channel: channel.id }),
    name: `${name}, channel ${channel.id}`,
  }));
  return [whole, ...each];
}

function rowElement({ key, name }: Row): HTMLElement {
  const label = document.createElement("label");
  const input = document.createElement("input");
  input.type = "checkbox";
  input.value = key;
  label.append(input, name);
  return label;
}
