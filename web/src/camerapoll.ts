/** Asks the server how the camera is, while nothing comes: for transports whose protocol doesn't tell. */

import { type Answer, refusal } from "./condition.ts";
import type { Camera, Failure } from "./transport.ts";

/** Nothing came for this long, in ms. */
const QUIET_MS = 1_000;
/** From one question to the next, in ms. */
const ASK_EVERY_MS = 2_000;

/** What a {@link CameraPoll} needs. */
export interface CameraPollOptions {
  ask(): Promise<Answer | null>;
  /** The server says how the camera is. */
  told(camera: Camera): void;
  /** The stream can't be had at all. */
  refused(failure: Failure): void;
}

/** One attempt's questions. */
export class CameraPoll {
  readonly #options: CameraPollOptions;
  #askedAt = Number.NEGATIVE_INFINITY;
  #asking = false;
  #said: Camera["state"] | null = null;
  #heardAt: number | null = null;
  #flowed = false;
  #over = false;

  constructor(options: CameraPollOptions) {
    this.#options = options;
  }

  /**
   * When an answer last said something new, or that the camera is away. That a camera is live is no excuse for media
   * that doesn't come.
   */
  get heardAt(): number | null {
    return this.#heardAt;
  }

  /** Asks if it is time. `quietSince` is when media came last, or the attempt began. */
  tick(now: number, quietSince: number): void {
    if (this.#asking || now - quietSince < QUIET_MS || now - this.#askedAt < ASK_EVERY_MS) return;
    this.#askedAt = now;
    this.#asking = true;
    this.#options.ask().then((answer) => this.#answered(answer));
  }

  /** Media came: the camera is there, whatever the last answer was. */
  media(): void {
    this.#flowed = true;
    if (this.#said !== "offline") return;
    this.#said = "live";
    this.#options.told({ state: "live" });
  }

  /** Asks and tells no more. */
  stop(): void {
    this.#over = true;
    this.#asking = true;
  }

  #answered(answer: Answer | null): void {
    if (this.#over) return;
    this.#asking = false;
    if (!answer) return;
    const failure = refusal(answer.status);
    if (failure?.retry === "slowly") this.#options.refused(failure);
    if (failure) return;
    const said = answer.camera?.state ?? "connecting";
    const returned = this.#said === "offline" && said !== "offline";
    const news = !this.#flowed && said !== this.#said;
    if (said === "offline" || returned || news) this.#heardAt = performance.now();
    this.#said = said;
    if (answer.camera) this.#options.told(answer.camera);
  }
}
