// The visitor's own pictures: indexed in this page, kept on the device when asked to.

import { Gallery } from "./avse-web/index.js";
import { confirmed } from "./confirm.js";
import { announce, button, byId, el } from "./dom.js";
import { cross } from "./explain.js";
import { roving } from "./roving.js";
import type { Loaded, Session } from "./session.js";
import { forgetThumbnails, thumbnailUrl } from "./thumbnails.js";
import { codeOf, isAborted, many, trouble } from "./words.js";

/** Name of the gallery in the browser's private file system. */
const NAME = "my-pictures";

/** Who is told. */
export interface Owner {
  /** The gallery has other pictures than before, or is gone (null). */
  changed(gallery: Gallery | null): void;
  lookUp(gallery: Gallery, row: number, words: string): void;
}

/** The section of the visitor's own pictures. */
export class OwnPictures {
  private gallery: Gallery | null = null;
  private kept = false;
  /** What is not kept would be lost when the model starts anew on another device: it is added again. */
  private files: File[] = [];
  private adding: AbortController | null = null;
  private readonly status = el("p", { class: "aside", role: "status" });
  private readonly bar = el("progress", { "aria-label": "Pictures added", hidden: true });
  private readonly list = el("ul", { class: "grid mine", "aria-label": "Your pictures", role: "list" });
  private readonly keys = roving(this.list, "button");
  private readonly keep = el("input", { type: "checkbox" });
  private readonly all = button("Delete all", () => void this.deleteAll());
  private readonly stop = button("Stop", () => this.adding?.abort());
  private readonly keepRow = el("label", { class: "keep" }, this.keep, "Keep them on this device for the next visit");

  constructor(
    private readonly session: Session,
    private readonly owner: Owner,
  ) {
    const input = el("input", { class: "sr", type: "file", multiple: true, accept: "image/png,image/jpeg,image/webp,image/gif,image/bmp", id: "own-files" });
    input.addEventListener("change", () => {
      void this.add([...(input.files ?? [])]);
      input.value = "";
    });
    this.keep.addEventListener("change", () => void this.changeKept());
    this.all.hidden = this.stop.hidden = this.keepRow.hidden = this.list.hidden = true;
    byId("own", HTMLElement).append(
      el("h2", { id: "own-title" }, "Your own pictures"),
      el("p", {}, "Add some, and every sentence looks through them too. They are read in this page, are never sent anywhere, and are gone when you leave unless you keep them."),
      el("div", { class: "ways" }, el("label", { class: "button" }, input, "Add pictures"), this.stop, this.all, this.keepRow),
      this.bar,
      this.status,
      this.list,
    );
    session.addEventListener("stage", () => {
      if (session.stage === "loading") this.release();
      if (session.stage === "ready" && session.loaded) void this.reopen(session.loaded);
    });
  }

  /** Adds pictures one after the other; those that cannot be read are named. */
  async add(files: File[]): Promise<void> {
    if (files.length === 0 || this.adding) return;
    const adding = new AbortController();
    this.adding = adding;
    const unread: string[] = [];
    this.say(`Adding ${many(files.length, "picture")}…`);
    this.progress(0, files.length);
    try {
      const { avse } = await this.session.whenReady(adding.signal);
      this.gallery ??= await Gallery.create(avse, { name: NAME, kind: "images" });
      const gallery = this.gallery;
      for (const [at, file] of files.entries()) {
        try {
          await gallery.add(file, { key: uniqueKey(file, at), metadata: { name: file.name }, signal: adding.signal });
          this.files.push(file);
        } catch (error) {
          if (isAborted(error) || codeOf(error) !== "image") throw error;
          unread.push(file.name);
        }
        this.progress(at + 1, files.length);
      }
      this.say(unread.length === 0 ? "" : `Not readable as a picture: ${unread.join(", ")}`);
    } catch (error) {
      this.say(isAborted(error) ? "Stopped." : `${trouble(error).title}. ${trouble(error).help}`);
    } finally {
      this.adding = null;
      this.progress(0, 0);
      await this.save();
      await this.show();
    }
  }

  private async reopen(loaded: Loaded): Promise<void> {
    try {
      // Where the store is closed (private windows) nothing is kept.
      const names = await Gallery.names().catch((): string[] => []);
      if (this.kept || names.includes(NAME)) {
        this.gallery = await Gallery.create(loaded.avse, { name: NAME, kind: "images" });
        this.kept = this.keep.checked = true;
        await this.show();
      } else if (this.files.length > 0) await this.add(this.files.splice(0));
    } catch (error) {
      this.say(`Your pictures could not be opened again. ${trouble(error).help}`);
    }
  }

  private release(): void {
    this.adding?.abort();
    if (this.gallery) forgetThumbnails(this.gallery);
    this.gallery = null;
    this.list.replaceChildren();
    this.owner.changed(null);
  }

  private async changeKept(): Promise<void> {
    this.kept = this.keep.checked;
    try {
      if (this.kept) {
        // Without this a browser may clear the storage when the disk is full; either answer is fine.
        await navigator.storage?.persist?.().catch(() => false);
        await this.save();
      } else await Gallery.delete(NAME);
      this.say(this.kept ? "Kept on this device." : "No longer kept: they are gone when you leave.");
    } catch (error) {
      this.kept = this.keep.checked = false;
      this.say(`They cannot be kept here: ${trouble(error).help}`);
    }
  }

  private async save(): Promise<void> {
    if (this.kept) await this.gallery?.save();
  }

  private async remove(row: number): Promise<void> {
    const gallery = this.gallery;
    if (!gallery || !(await confirmed("Delete this picture?", "Delete"))) return;
    await gallery.remove(row);
    this.files.splice(row, 1);
    // Later rows have moved up, so every address is made anew.
    forgetThumbnails(gallery);
    await this.save();
    await this.show();
    const left = this.list.querySelectorAll<HTMLElement>("button.tile");
    (left[Math.min(row, left.length - 1)] ?? byId("own-files", HTMLInputElement)).focus();
    announce("Deleted");
  }

  private async deleteAll(): Promise<void> {
    if (!(await confirmed("Delete all of your pictures?", "Delete them"))) return;
    await this.gallery?.close();
    if (this.gallery) forgetThumbnails(this.gallery);
    this.gallery = null;
    this.files = [];
    this.kept = this.keep.checked = false;
    await Gallery.delete(NAME).catch(() => undefined);
    this.say("All deleted.");
    await this.show();
    byId("own-files", HTMLInputElement).focus();
  }

  private async show(): Promise<void> {
    const gallery = this.gallery;
    const size = gallery?.size ?? 0;
    this.all.hidden = this.keepRow.hidden = size === 0;
    this.owner.changed(size > 0 ? gallery : null);
    this.list.hidden = size === 0;
    if (!gallery) return this.list.replaceChildren();
    const tiles = Array.from({ length: size }, async (_, row) => {
      const [item, url] = await Promise.all([gallery.item(row), thumbnailUrl(gallery, row)]);
      return this.tile(gallery, row, String(item.metadata?.["name"] ?? item.key), url);
    });
    this.list.replaceChildren(...(await Promise.all(tiles)));
    this.keys.refresh();
  }

  private tile(gallery: Gallery, row: number, name: string, url: string | null): HTMLLIElement {
    const look = button("", () => this.owner.lookUp(gallery, row, name), { class: "tile", "aria-label": `${name}, look this one up` });
    look.append(el("span", { class: "paper" }, url ? el("img", { src: url, alt: "" }) : ""), el("span", { class: "words" }, name));
    look.addEventListener("keydown", (event) => {
      if (event.key === "Delete") void this.remove(row);
    });
    const remove = button("", () => void this.remove(row), { class: "remove", "aria-label": `Delete ${name}` });
    remove.append(cross());
    return el("li", {}, look, remove);
  }

  private say(text: string): void {
    this.status.textContent = text;
  }

  private progress(done: number, of: number): void {
    this.bar.hidden = this.stop.hidden = of === 0;
    this.bar.max = Math.max(1, of);
    this.bar.value = done;
  }
}

/** Two files may have one name; a gallery's keys are one of a kind. */
function uniqueKey(file: File, at: number): string {
  return `${file.name}#${file.size}-${file.lastModified}-${Date.now().toString(36)}-${at}`;
}
