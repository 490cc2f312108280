// Who made the artwork and the words, as the site's `avse.json` says.

import { byId, el } from "./dom.js";
import type { Credit, Site } from "./site.js";

/** Fills the page's foot. */
export function showCredits(site: Site): void {
  const foot = byId("credits", HTMLElement);
  foot.replaceChildren(
    el("h2", { id: "credits-title" }, "Credits"),
    site.credits.length > 0 ? el("ul", { class: "credit-list", role: "list" }, ...site.credits.map(line)) : "",
    el("p", {}, "The model is AVSE, Asymmetric Visual Semantic Embedding (Liu, Liu, Huang and Lv, AAAI 2025), in Rust on Burn, compiled to WebAssembly. This page asks for nothing outside its own site and counts no visitors."),
  );
}

function line({ what, by, licence, url }: Credit): HTMLLIElement {
  const name = safe(url) ? el("a", { href: url, rel: "noopener noreferrer", target: "_blank" }, what) : el("b", {}, what);
  return el("li", {}, name, by ? ` by ${by}` : "", licence ? el("span", { class: "licence" }, licence) : "");
}

/** Addresses come from a data file: only web addresses become links. */
function safe(url: string | undefined): url is string {
  return url !== undefined && /^https?:\/\//i.test(url);
}
