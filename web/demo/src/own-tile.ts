// One of the visitor's own pictures, with its name and a way to delete it.

import type { Gallery } from "./avse-web/index.js";
import { button, el } from "./dom.js";
import { cross } from "./explain.js";
import { thumbnailUrl } from "./thumbnails.js";
import type { WindowTile } from "./tile-window.js";

/** What the visitor can do with it. */
interface Actions {
  chosen(name: string): void;
  remove(name: string): void;
}

/** Fills a tile with the picture in its place; name and thumbnail follow. */
export function fillTile(tile: WindowTile, gallery: Gallery, { chosen, remove }: Actions): void {
  let name = "";
  const [image, words] = [el("img", { alt: "", decoding: "async" }), el("span", { class: "words" })];
  const look = button("", () => chosen(name), { class: "tile", "aria-label": "Picture" });
  look.append(el("span", { class: "paper" }, image), words);
  look.addEventListener("keydown", (event) => {
    if (event.key === "Delete") remove(name);
  });
  const away = button("", () => remove(name), { class: "remove", "aria-label": "Delete" });
  away.append(cross());
  tile.item.append(look, away);
  const show = async () => {
    const [item, url] = await Promise.all([gallery.item(tile.at), thumbnailUrl(gallery, tile.at)]);
    name = String(item.metadata?.["name"] ?? item.key);
    words.textContent = name;
    look.setAttribute("aria-label", `${name}, look this one up`);
    away.setAttribute("aria-label", `Delete ${name}`);
    if (url) image.src = url;
    else look.classList.add("bare");
  };
  // A row that has gone meanwhile is shown no longer.
  show().catch(() => undefined);
}
