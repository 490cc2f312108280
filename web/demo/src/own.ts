// The visitor's own pictures: indexed in this page, kept on the device when asked to.

import { type Adding, Gallery } from "./avse-web/index.js";
import { confirmed } from "./confirm.js";
import { announce, button, byId, el } from "./dom.js";
import { OwnFiles } from "./own-files.js";
import { fillTile } from "./own-tile.js";
import type { Loaded, Session } from "./session.js";
import { forgetThumbnail, forgetThumbnails } from "./thumbnails.js";
import { TileWindow, type WindowTile } from "./tile-window.js";
import { codeOf, count, isAborted, keepingTrouble, many, trouble } from "./words.js";

/** Name of the gallery in the browser's private file system. */
const NAME = "my-pictures";
/** Kept pictures are saved whenever so many have been added. */
const SAVE_EVERY = 250;

/** Who is told. */
export interface Owner {
  /** The gallery has other pictures than before, or is gone (null). */
  changed(gallery: Gallery | null): void;
  /** Waits until no question is under way. */
  quiet(): Promise<void>;
  lookUp(gallery: Gallery, row: number, words: string): void;
}

/** The section of the visitor's own pictures. */
export class OwnPictures {
  private gallery: Gallery | null = null;
  private kept = false;
  private readonly files = new OwnFiles();
  private adding: Adding | null = null;
  private stopping: AbortController | null = null;
  private readonly status = el("p", { class: "aside", role: "status" });
  private readonly bar = el("progress", { "aria-label": "Pictures added" });
  private readonly figure = el("span", { class: "line" });
  private readonly pause = button("Pause", () => this.pauseOrGoOn());
  private readonly progress = el("div", { class: "adding", hidden: true }, this.bar, this.figure, this.pause, button("Stop", () => this.stopping?.abort()));
  private readonly grid = new TileWindow({ label: "Your pictures", make: (tile) => this.tile(tile) });
  private readonly keep = el("input", { type: "checkbox" });
  private readonly keepRow = el("label", { class: "keep" }, this.keep, "Keep them on this device for the next visit");
  private readonly fleeting = el("p", { class: "aside", hidden: true }, "This browser keeps nothing for this page (as in private windows and on pages without https), so your pictures are gone when you leave.");
  private readonly more = el("div", { class: "ways" },
    this.keepRow,
    button("Save as a file", () => void this.saveAsFile()),
    button("Delete all", () => void this.deleteAll()),
  );

  constructor(
    private readonly session: Session,
    private readonly owner: Owner,
  ) {
    const input = el("input", { class: "sr", type: "file", multiple: true, accept: "image/png,image/jpeg,image/webp,image/gif,image/bmp,.tar", id: "own-files" });
    input.addEventListener("change", () => {
      this.add([...(input.files ?? [])]);
      input.value = "";
    });
    this.keep.addEventListener("change", () => void this.changeKept());
    this.more.hidden = this.grid.element.hidden = true;
    byId("own", HTMLElement).append(
      el("h2", { id: "own-title" }, "Your own pictures"),
      el("p", {}, "Add some, and every sentence looks through them too. They are read in this page, are never sent anywhere, and are gone when you leave unless you keep them."),
      el("div", { class: "ways" }, el("label", { class: "button" }, input, "Add pictures")),
      this.fleeting,
      this.progress,
      this.status,
      this.grid.element,
      this.more,
    );
    session.addEventListener("stage", () => {
      if (session.stage === "loading") this.release();
      const { stage, loaded } = session;
      // What was asked before comes first: the worker does one thing after the other.
      if (stage === "ready" && loaded) void owner.quiet().then(() => (session.loaded === loaded ? this.open(loaded) : undefined));
    });
  }

  /** Adds pictures, behind those that are being added; a file that "Save as a file" made comes in as a whole. */
  async add(files: File[]): Promise<void> {
    if (files.length === 0) return;
    const pictures = this.files.give(files);
    if (this.adding?.running) this.adding.push(pictures);
    // Before the model is there they wait; `open` begins with them.
    else if (!this.gallery) this.say(`${many(files.length, "file")} will be added when the model is ready.`);
    else if (!this.stopping) void this.addWaiting(this.gallery);
    this.show();
  }

  /** Adds what waits, until nothing does. */
  private async addWaiting(gallery: Gallery): Promise<void> {
    const stopping = new AbortController();
    this.stopping = stopping;
    this.say("");
    try {
      for (;;) {
        for (const file of this.files.collections()) await this.addCollection(gallery, file);
        const waiting = this.files.waiting();
        if (waiting.length === 0) break;
        await this.addPictures(gallery, waiting, stopping.signal);
      }
    } catch (error) {
      if (gallery !== this.gallery) return;
      const left = `${many(this.files.forgetWaiting(), "picture")} not added.`;
      this.say(stopping.signal.aborted ? `Stopped, ${left}` : `${trouble(error).title}. ${trouble(error).help} ${left}`);
    } finally {
      if (gallery === this.gallery) {
        this.adding = this.stopping = null;
        this.show();
        this.tell(gallery);
        await this.save();
      }
    }
  }

  /** Adds pictures one after the other; those that cannot be read are named. */
  private async addPictures(gallery: Gallery, pictures: File[], signal: AbortSignal): Promise<void> {
    const adding = gallery.addAll(pictures, {
      signal,
      describe: (source) => ({ key: this.files.keyOf(source as File), metadata: { name: (source as File).name } }),
      onProgress: async ({ source, done, total }) => {
        this.files.wasAdded(source as File);
        this.bar.max = total;
        this.bar.value = done;
        this.figure.textContent = `${count(done)} of ${count(total)}`;
        this.grid.resize(gallery.size);
        if (gallery.size === 1) this.tell(gallery);
        if (done === 1) this.show();
        if (done % SAVE_EVERY === 0) await this.save();
      },
    });
    this.adding = adding;
    this.show();
    const { failed } = await adding.finished;
    const names = failed.map(({ source }) => (source as File).name);
    for (const { source } of failed) this.files.forget(this.files.keyOf(source as File));
    const rest = names.length > 5 ? ` and ${count(names.length - 5)} more` : "";
    if (names.length > 0) this.say(`Not readable as a picture: ${names.slice(0, 5).join(", ")}${rest}`);
  }

  private async addCollection(gallery: Gallery, file: File): Promise<void> {
    try {
      await gallery.import(file);
      this.files.wasAdded(file);
    } catch (error) {
      if (isAborted(error)) throw error;
      this.files.forgetCollection(file);
      return this.say(`${file.name} could not be added: it is damaged, holds no pictures, or is another model's.`);
    }
    for (let row = gallery.size - 1; this.files.anyDeleted && row >= 0; row--) {
      if (this.files.wasDeleted((await gallery.item(row)).key)) await gallery.remove(row);
    }
    this.show();
  }

  private async open({ avse }: Loaded): Promise<void> {
    try {
      let trouble = "";
      const gallery = await Gallery.create(avse, { name: NAME, kind: "images" }).catch((error: unknown) => {
        if (isAborted(error)) throw error;
        trouble = `The pictures that are kept here cannot be opened. ${keepingTrouble(error)}`;
        // What is there stays untouched; others can be added for this visit.
        return Gallery.create(avse, { kind: "images" });
      });
      if (this.session.loaded?.avse !== avse) return;
      this.gallery = gallery;
      const names = gallery.info.canSave ? await Gallery.names() : [];
      this.kept = this.keep.checked = gallery.info.canSave && (this.kept || (names.includes(NAME) && gallery.size > 0));
      this.fleeting.hidden = gallery.info.canSave || trouble !== "";
      this.keepRow.hidden = !gallery.info.canSave;
      gallery.on("changed", () => this.otherTab(gallery, true));
      gallery.on("deleted", () => this.otherTab(gallery, false));
      this.renew(gallery);
      if (!this.stopping && this.files.waiting().length + this.files.collections().length > 0) await this.addWaiting(gallery);
      else if (trouble) this.say(trouble);
    } catch (error) {
      if (!isAborted(error)) this.say(`Your pictures could not be opened again. ${keepingTrouble(error)}`);
    }
  }

  /** Another tab has saved the gallery, or keeps it no longer. */
  private otherTab(gallery: Gallery, kept: boolean): void {
    if (gallery !== this.gallery) return;
    if (!kept && this.kept) {
      this.say("No longer kept, another tab has ended that: they are gone when you leave.");
      void this.hold(gallery);
    }
    this.kept = this.keep.checked = kept && gallery.size > 0;
    if (!kept) return;
    this.renew(gallery);
    // What was added here is part of what is kept now.
    void this.save();
  }

  /** Nothing is in the store any longer: what is needed to open the gallery again is held here. */
  private async hold(gallery: Gallery): Promise<void> {
    if (gallery.size > 0) this.files.hold(await gallery.export());
  }

  /** All rows may have moved. */
  private renew(gallery: Gallery): void {
    forgetThumbnails(gallery);
    this.grid.renew(gallery.size);
    this.show();
    this.tell(gallery);
  }

  private tell(gallery: Gallery): void {
    this.owner.changed(gallery.size > 0 ? gallery : null);
  }

  private release(): void {
    if (this.gallery) forgetThumbnails(this.gallery);
    this.files.beginAgain(this.kept);
    this.gallery = this.adding = this.stopping = null;
    this.grid.renew(0);
    this.show();
    this.owner.changed(null);
  }

  private pauseOrGoOn(): void {
    if (this.adding?.paused) this.adding.resume();
    else this.adding?.pause();
    this.show();
    if (this.adding?.paused) void this.save();
  }

  private async changeKept(): Promise<void> {
    this.kept = this.keep.checked;
    if (!this.kept) {
      if (this.gallery) await this.hold(this.gallery);
      await Gallery.delete(NAME).catch(() => undefined);
      return this.say("No longer kept: they are gone when you leave.");
    }
    if (await this.save()) this.say("Kept on this device.");
    // Without this a browser may clear the storage when the disk is full; either answer is fine. Some ask the visitor, who may
    // leave the question open, so nothing waits for it.
    if (this.kept) void navigator.storage?.persist?.().catch(() => false);
  }

  /** Keeps the pictures, where they are to be kept; whether that was so. */
  private async save(): Promise<boolean> {
    const { gallery } = this;
    if (!this.kept || !gallery) return false;
    try {
      await this.files.saving(gallery.save());
      return true;
    } catch (error) {
      if (!isAborted(error)) this.say(`They cannot be kept here, and are gone when you leave. ${keepingTrouble(error)}`);
      this.kept = this.keep.checked = false;
      return false;
    }
  }

  private async saveAsFile(): Promise<void> {
    try {
      const file = await this.gallery?.export();
      if (!file) return;
      const url = URL.createObjectURL(file);
      el("a", { href: url, download: "my-pictures.tar" }).click();
      setTimeout(() => URL.revokeObjectURL(url), 60_000);
    } catch (error) {
      this.say(`${trouble(error).title}. ${trouble(error).help}`);
    }
  }

  private async remove(tile: WindowTile, name: string): Promise<void> {
    const { gallery } = this;
    if (!gallery || !(await confirmed(`Delete ${name} from your pictures here?`, "Delete"))) return;
    const row = tile.at;
    this.grid.frozen = true;
    try {
      const { key } = await gallery.item(row);
      await gallery.remove(row);
      this.files.forget(key);
    } catch (error) {
      const moved = codeOf(error) === "refused";
      return this.say(moved ? "Another tab has changed your pictures. Look again, and delete it then." : `${trouble(error).title}. ${trouble(error).help}`);
    } finally {
      this.grid.frozen = false;
    }
    forgetThumbnail(gallery, row);
    this.grid.remove(row);
    if (gallery.size === 0) byId("own-files", HTMLInputElement).focus();
    announce("Deleted");
    this.show();
    this.tell(gallery);
    await this.save();
  }

  private async deleteAll(): Promise<void> {
    const { gallery } = this;
    if (!gallery || !(await confirmed(`Delete all ${many(gallery.size, "picture")} of yours here?`, "Delete all"))) return;
    this.stopping?.abort();
    this.files.clear();
    await gallery.clear();
    // What is kept is an empty gallery from now on, so that other tabs see that all are gone; deleted, it would leave them theirs.
    if (this.kept && !(await this.save())) await Gallery.delete(NAME).catch(() => undefined);
    this.kept = this.keep.checked = false;
    this.say("All deleted.");
    this.renew(gallery);
    byId("own-files", HTMLInputElement).focus();
  }

  private show(): void {
    const some = (this.gallery?.size ?? 0) > 0;
    this.grid.element.hidden = this.more.hidden = !some;
    this.progress.hidden = !this.adding?.running;
    this.pause.textContent = this.adding?.paused ? "Go on" : "Pause";
    if (some && this.gallery) this.grid.resize(this.gallery.size);
  }

  private tile(tile: WindowTile): void {
    const { gallery } = this;
    if (!gallery) return;
    fillTile(tile, gallery, {
      chosen: (words) => this.owner.lookUp(gallery, tile.at, words),
      remove: (name) => void this.remove(tile, name),
    });
  }

  private say(text: string): void {
    this.status.textContent = text;
  }
}
