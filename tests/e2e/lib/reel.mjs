/** Which pictures of a film a viewer got, told by their bytes: slices pass through Lunette as they are. */
import { readFileSync } from "node:fs";

import { Film } from "../../cameras/lib/film.mjs";

const isSlice = (nal) => (nal[0] & 31) === 1 || (nal[0] & 31) === 5;
const key = (nals) => Buffer.concat(nals.filter(isSlice)).toString("latin1");

/** The NAL units of a sample, each behind its length in four bytes. */
function units(sample) {
  const nals = [];
  for (let at = 0; at < sample.length; ) {
    const end = at + 4 + sample.readUInt32BE(at);
    nals.push(sample.subarray(at + 4, end));
    at = end;
  }
  return nals;
}

export class Reel {
  /** @param {string} file The film, H.264 with delimiters. */
  constructor(file) {
    this.film = new Film(readFileSync(file));
    this.numbers = new Map(this.film.pictures.map((picture, n) => [key(picture), n]));
  }

  /** The number of the picture in a fragment; undefined where it is none of the film's, or not whole. */
  number(fragment) {
    return this.numbers.get(key(units(fragment.media)));
  }

  /**
   * Where fragments do not show the film: a picture that is not of it, or one that follows neither the picture
   * before it nor a gap that ends at a key frame. `gaps` is how often pictures were left out rightly.
   */
  judge(fragments) {
    return this.#follow(fragments.map((fragment) => ({ number: this.number(fragment), sync: fragment.sync })));
  }

  /** The same for a file of H.264 with delimiters, and how many pictures there are in it. */
  judgeFile(file) {
    const numbers = new Film(readFileSync(file)).pictures.map((picture) => this.numbers.get(key(picture)));
    return { pictures: numbers.length, ...this.#follow(numbers.map((number) => ({ number, sync: true }))) };
  }

  #follow(pictures) {
    const wrong = [];
    let [gaps, last] = [0, undefined];
    pictures.forEach(({ number, sync }, i) => {
      const follows = number === (last + 1) % this.film.pictures.length;
      const starts = sync && this.film.pictures[number]?.some((nal) => (nal[0] & 31) === 5);
      if (!follows && !starts) wrong.push({ at: i, number, after: last });
      if (last !== undefined && !follows) gaps++;
      last = number;
    });
    return { wrong, gaps };
  }
}
