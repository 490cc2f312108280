// The origin's private file system and Web Locks, in memory: for tests in Node of what is kept. It counts what is written.

class Writable {
  constructor(entry, disk) {
    Object.assign(this, { entry, disk });
  }
  async write(blob) {
    this.content = blob;
  }
  async close() {
    const { disk, content } = this;
    if (disk.written + content.size > disk.limit) throw new DOMException("full", "QuotaExceededError");
    disk.written += content.size;
    disk.files += 1;
    // A copy, as a disk has it: what a blob was made of may go.
    this.entry.content = new Blob([await content.arrayBuffer()]);
  }
}

class FileHandle {
  kind = "file";
  content = new Blob([]);
  constructor(name, disk) {
    Object.assign(this, { name, disk });
  }
  async getFile() {
    return this.content;
  }
  async createWritable() {
    return new Writable(this, this.disk);
  }
}

class DirectoryHandle {
  kind = "directory";
  entries_ = new Map();
  constructor(name, disk) {
    Object.assign(this, { name, disk });
  }
  #get(name, Type, create) {
    if (!this.entries_.has(name)) {
      if (!create) throw new DOMException(`no ${name}`, "NotFoundError");
      this.entries_.set(name, new Type(name, this.disk));
    }
    return this.entries_.get(name);
  }
  async getFileHandle(name, { create = false } = {}) {
    return this.#get(name, FileHandle, create);
  }
  async getDirectoryHandle(name, { create = false } = {}) {
    return this.#get(name, DirectoryHandle, create);
  }
  async removeEntry(name) {
    if (!this.entries_.delete(name)) throw new DOMException(`no ${name}`, "NotFoundError");
  }
  async *keys() {
    yield* [...this.entries_.keys()];
  }
  async *values() {
    yield* [...this.entries_.values()];
  }
}

/** Puts an empty disk in the place of the browser's; `disk.written` and `disk.files` grow, `disk.limit` is its room. */
export function disk() {
  const disk = { written: 0, files: 0, limit: Infinity };
  const root = new DirectoryHandle("", disk);
  disk.folder = async (name) => root.entries_.get("avse-web-galleries").entries_.get(`g${encodeURIComponent(name)}`);
  const locks = new Map();
  const request = (name, work) => {
    const result = (locks.get(name) ?? Promise.resolve()).then(work);
    locks.set(name, result.catch(() => {}));
    return result;
  };
  const navigator = { storage: { getDirectory: async () => root }, locks: { request } };
  Object.defineProperty(globalThis, "navigator", { value: navigator, configurable: true, writable: true });
  return disk;
}
