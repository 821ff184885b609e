/** The element's looks. A constructable stylesheet: strict content security policies allow those. */

const CSS = `
:host {
  display: block;
  position: relative;
  aspect-ratio: 16 / 9;
  overflow: hidden;
  background: #0b0d10;
  color: #f4f6f8;
  font: 500 0.875rem/1.4 system-ui, sans-serif;
  --focus: #7ab7ff;
}
:host([hidden]) { display: none; }
video {
  display: block;
  width: 100%;
  height: 100%;
  object-fit: var(--lunette-fit, contain);
  background: inherit;
}
.status {
  position: absolute;
  inset: 0;
  display: flex;
  flex-direction: column;
  align-items: center;
  justify-content: center;
  gap: 0.75rem;
  padding: 1rem 1rem 3rem;
  box-sizing: border-box;
  text-align: center;
  text-wrap: balance;
  overflow-wrap: anywhere;
  background: rgb(11 13 16 / 0.6);
  opacity: 1;
  transition: opacity 0.2s;
  pointer-events: none;
}
.status[data-state="live"], .status[data-state="idle"] { opacity: 0; visibility: hidden; }
.status[data-state="stalled"] { background: linear-gradient(rgb(11 13 16 / 0.7), transparent 35%); justify-content: start; }
.title { font-size: 1rem; font-weight: 600; margin: 0; }
.message { margin: 0; color: #c8d0d8; max-width: 40ch; }
.message:empty { display: none; }
.spinner {
  display: none;
  width: 1.75rem;
  height: 1.75rem;
  border: 3px solid rgb(255 255 255 / 0.25);
  border-top-color: #fff;
  border-radius: 50%;
  animation: turn 0.9s linear infinite;
}
.status[data-state="connecting"] .spinner, .status[data-state="reconnecting"] .spinner { display: block; }
@keyframes turn { to { transform: rotate(1turn); } }
.bar {
  position: absolute;
  inset: auto 0 0;
  display: flex;
  align-items: center;
  gap: 0.25rem;
  padding: 1.25rem 0.5rem 0.375rem;
  background: linear-gradient(transparent, rgb(0 0 0 / 0.65));
  opacity: 0;
  transition: opacity 0.2s;
}
:host(:hover) .bar, .bar:has(:focus-visible), .bar[data-shown] { opacity: 1; }
.bar[hidden] { display: none; }
.badge { display: flex; align-items: center; gap: 0.4rem; margin-inline: 0.35rem auto; font-size: 0.75rem; letter-spacing: 0.02em; }
.badge::before { content: ""; width: 0.5rem; height: 0.5rem; border-radius: 50%; background: #8b96a1; }
.badge[data-state="live"]::before { background: #ff4b4b; }
.badge[data-state="offline"]::before, .badge[data-state="failed"]::before, .badge[data-state="stalled"]::before { background: #ffb020; }
.stats {
  position: absolute;
  inset: 0.5rem auto auto 0.5rem;
  display: grid;
  grid-template-columns: auto auto;
  gap: 0.1rem 0.75rem;
  margin: 0;
  padding: 0.5rem 0.75rem;
  border-radius: 0.375rem;
  background: rgb(11 13 16 / 0.75);
  font-size: 0.75rem;
  font-variant-numeric: tabular-nums;
  pointer-events: none;
}
.stats[hidden] { display: none; }
.stats dt { color: #c8d0d8; }
.stats dd { margin: 0; }
button {
  display: grid;
  place-items: center;
  width: 2.25rem;
  height: 2.25rem;
  padding: 0;
  border: 0;
  border-radius: 0.375rem;
  background: transparent;
  color: inherit;
  cursor: pointer;
}
button:hover { background: rgb(255 255 255 / 0.15); }
button:focus-visible { outline: 2px solid var(--focus); outline-offset: -2px; }
button[hidden] { display: none; }
button svg { width: 1.25rem; height: 1.25rem; fill: currentColor; }
.start {
  position: absolute;
  inset: 0;
  margin: auto;
  width: 4rem;
  height: 4rem;
  border-radius: 50%;
  background: rgb(0 0 0 / 0.6);
}
.start svg { width: 2rem; height: 2rem; }
@media (hover: none) { .bar { opacity: 1; } }
@media (prefers-reduced-motion: reduce) {
  .status, .bar { transition: none; }
  .spinner { animation-duration: 3s; animation-timing-function: steps(8); }
}
`;

let sheet: CSSStyleSheet | null = null;

/** Gives a shadow root the element's styles. */
export function applyStyles(root: ShadowRoot): void {
  if ("adoptedStyleSheets" in root) {
    sheet ??= new CSSStyleSheet();
    if (sheet.cssRules.length === 0) sheet.replaceSync(CSS);
    root.adoptedStyleSheets = [sheet];
    return;
  }
  const style = document.createElement("style"); // Safari before 16.4
  style.textContent = CSS;
  (root as ShadowRoot).append(style);
}
