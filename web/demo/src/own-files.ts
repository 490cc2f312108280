// The files that the visitor has given. When the model starts anew on another device, its galleries are gone: what is in no store
// is added again from here.

/** Ends the names of files that hold whole collections. */
const COLLECTION = /\.tar$/i;

interface Given {
  file: File;
  key: string;
  /** Whether it is in the gallery that is open. */
  added: boolean;
  /** Whether it is in the store. */
  saved: boolean;
}

export class OwnFiles {
  private readonly keys = new WeakMap<File, string>();
  private pictures = new Map<string, Given>();
  private wholes = new Map<string, Given>();
  /** Keys of pictures that were deleted and may be in a collection. */
  private readonly deleted = new Set<string>();
  private number = 0;

  /** Takes files; the pictures among them. */
  give(files: File[]): File[] {
    for (const file of files) {
      // Two files may have one name; a gallery's keys are one of a kind.
      const key = `${file.name}#${file.size}-${file.lastModified}-${Date.now().toString(36)}-${this.number++}`;
      this.keys.set(file, key);
      (COLLECTION.test(file.name) ? this.wholes : this.pictures).set(key, { file, key, added: false, saved: false });
    }
    return files.filter((file) => !COLLECTION.test(file.name));
  }

  keyOf(file: File): string {
    return this.keys.get(file) ?? file.name;
  }

  /** Pictures that have to be added still, in their order. */
  waiting(): File[] {
    return filesOf(this.pictures);
  }

  /** Collections that have to be added still. */
  collections(): File[] {
    return filesOf(this.wholes);
  }

  /** Notes that a file is in the gallery. */
  wasAdded(file: File): void {
    const given = this.given(file);
    if (given) given.added = true;
  }

  /** Notes that what is in the gallery now is in the store, once the promise is fulfilled. */
  async saving(save: Promise<void>): Promise<void> {
    const added = this.all().filter((given) => given.added);
    await save;
    for (const given of added) given.saved = true;
  }

  /** The gallery has gone; what the store has is left out when it is kept. */
  beginAgain(kept: boolean): void {
    for (const given of this.all()) given.added = kept && given.saved;
  }

  /** From now on the store has nothing; `all` is a file with what is in the gallery. */
  hold(all: Blob): void {
    for (const { key, added } of this.all()) if (added) this.pictures.delete(key) || this.wholes.delete(key);
    this.deleted.clear();
    const file = new File([all], "mine.tar");
    this.give([file]);
    this.wasAdded(file);
  }

  /** The picture of this key has been deleted, or is none. */
  forget(key: string): void {
    if (!this.pictures.delete(key)) this.deleted.add(key);
  }

  forgetCollection(file: File): void {
    this.wholes.delete(this.keyOf(file));
  }

  /** Gives up what has to be added still; how many pictures that are. */
  forgetWaiting(): number {
    const waiting = this.waiting();
    for (const file of waiting) this.pictures.delete(this.keyOf(file));
    return waiting.length;
  }

  /** Whether a picture that came with a collection has been deleted before. */
  wasDeleted(key: string): boolean {
    return this.deleted.has(key);
  }

  get anyDeleted(): boolean {
    return this.deleted.size > 0;
  }

  clear(): void {
    this.pictures.clear();
    this.wholes.clear();
    this.deleted.clear();
  }

  private given(file: File): Given | undefined {
    const key = this.keyOf(file);
    return this.pictures.get(key) ?? this.wholes.get(key);
  }

  private all(): Given[] {
    return [...this.pictures.values(), ...this.wholes.values()];
  }
}

function filesOf(given: Map<string, Given>): File[] {
  return [...given.values()].filter(({ added }) => !added).map(({ file }) => file);
}
