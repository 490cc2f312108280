/**
 * The element's looks. A constructed style sheet needs no permission by a content security policy.
 *
 * Without colours of its own it takes the page's: text as around it, no ground, and all else mixed from the text's
 * colour. So it is dark on a dark page, whether the page says so by `color-scheme` or only paints itself.
 */

const CSS = `
:host {
  --_accent: var(--avse-accent, #2f6fde);
  --_muted: var(--avse-muted, color-mix(in srgb, currentColor 68%, transparent));
  --_surface: var(--avse-surface, transparent);
  --_border: var(--avse-border, color-mix(in srgb, currentColor 30%, transparent));
  --_error: var(--avse-error, color-mix(in srgb, #e02020 68%, currentColor));
  --_radius: var(--avse-radius, 0.6rem);
  --_gap: var(--avse-gap, 0.6rem);
  display: block;
  color: var(--avse-text, inherit);
  font: var(--avse-font, inherit);
}
:host([hidden]) { display: none; }
* { box-sizing: border-box; }
[hidden] { display: none !important; }
.bar { display: flex; gap: var(--_gap); }
input[type="search"] {
  flex: 1; min-width: 0; padding: 0.6em 0.8em; color: inherit; font: inherit; background: var(--_surface);
  border: 1px solid var(--_border); border-radius: var(--_radius);
}
::placeholder { color: var(--_muted); opacity: 1; }
button { color: inherit; font: inherit; background: var(--_surface); border: 1px solid var(--_border); border-radius: var(--_radius); cursor: pointer; }
.pick { padding: 0 0.8em; }
.pick svg { display: block; width: 1.25em; height: 1.25em; fill: none; stroke: currentColor; stroke-width: 1.6; stroke-linejoin: round; }
:focus-visible { outline: 2px solid var(--_accent); outline-offset: 2px; }
.status { min-height: 1.5em; margin: 0.4em 0; color: var(--_muted); font-size: 0.875em; line-height: 1.5; }
progress { display: block; width: 100%; height: 0.4rem; accent-color: var(--_accent); }
.error { margin: 0.4em 0; color: var(--_error); overflow-wrap: anywhere; }
.error button { margin-inline-start: 0.6em; padding: 0.1em 0.7em; }
.grid { display: grid; gap: var(--_gap); grid-template-columns: repeat(auto-fill, minmax(min(100%, var(--avse-item-size, 8rem)), 1fr)); }
.grid.captions { grid-template-columns: repeat(auto-fill, minmax(min(100%, var(--avse-caption-size, 16rem)), 1fr)); }
.item { display: flex; flex-direction: column; gap: 0.3em; min-width: 0; padding: 0.5em; text-align: start; }
.item:hover { border-color: var(--_accent); }
.item img { width: 100%; aspect-ratio: var(--avse-image-ratio, 1); object-fit: var(--avse-image-fit, contain); border-radius: calc(var(--_radius) / 2); background: var(--avse-image-background, #fff); }
.caption { overflow: hidden; font-size: 0.875em; text-overflow: ellipsis; }
.images .caption { white-space: nowrap; }
.score { display: var(--avse-score-display, none); color: var(--_muted); font-size: 0.75em; font-variant-numeric: tabular-nums; }
.drop { outline: 2px dashed var(--_accent); outline-offset: 4px; border-radius: var(--_radius); }
@media (prefers-reduced-motion: no-preference) { .grid { transition: opacity 120ms; } }
.grid[aria-busy="true"] { opacity: 0.7; }
`;

let sheet: CSSStyleSheet | undefined;

/** The style sheet, shared by all elements. */
export function styleSheet(): CSSStyleSheet {
  if (!sheet) {
    sheet = new CSSStyleSheet();
    sheet.replaceSync(CSS);
  }
  return sheet;
}
