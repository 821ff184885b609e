/** A wall that nobody touches: the screen stays on, and what is not picture goes away. */

/** Nobody moved or typed for this long, in ms. */
const IDLE_MS = 4_000;

/** Marks `body` as idle while nobody does anything. */
export function fadeWhenIdle(body: HTMLElement): void {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const stir = (): void => {
    delete body.dataset.idle;
    clearTimeout(timer);
    timer = setTimeout(() => (body.dataset.idle = ""), IDLE_MS);
  };
  for (const event of ["pointermove", "pointerdown", "keydown", "focusin"]) addEventListener(event, stir);
  stir();
}

/** Keeps the screen on while the page is looked at, where the browser can. */
export function keepScreenOn(): void {
  const ask = (): void => {
    if (document.visibilityState === "visible") navigator.wakeLock?.request("screen").catch(() => undefined);
  };
  document.addEventListener("visibilitychange", ask);
  ask();
}
