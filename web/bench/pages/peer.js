// The page's side of peer-worker.js, with the methods of ours.js.

export class Peer {
  #worker = new Worker(new URL("./peer-worker.js", import.meta.url), { type: "module" });
  #pending = new Map();
  #last = 0;

  constructor(backend) {
    this.backend = backend;
    this.#worker.onmessage = ({ data: { id, value, error } }) => {
      const { resolve, reject } = this.#pending.get(id);
      this.#pending.delete(id);
      if (error) reject(new Error(error));
      else resolve(value);
    };
    this.#worker.onerror = (event) => {
      for (const { reject } of this.#pending.values()) reject(new Error(event.message));
    };
  }

  #call(method, ...args) {
    const id = ++this.#last;
    return new Promise((resolve, reject) => {
      this.#pending.set(id, { resolve, reject });
      this.#worker.postMessage({ id, method, args });
    });
  }

  load = () => this.#call("load", this.backend);
  open = (gallery, shape) => this.#call("open", gallery, shape);
  close = (gallery) => this.#call("close", gallery);
  encodeText = (query) => this.#call("encodeText", query);
  encodeImage = (image) => this.#call("encodeImage", image);
  search = (gallery, query) => this.#call("search", gallery, query);
  queryText = (query, gallery) => this.#call("queryText", query, gallery);
  queryImage = (file, gallery) => this.#call("queryImage", file, gallery);
}
