// The package as a page uses it.

export class Ours {
  #galleries = {};

  constructor(device) {
    this.device = device;
  }

  async load() {
    const { Avse } = await import("/site/avse-web/index.js");
    this.avse = await Avse.load("/site/data/", { device: this.device });
  }

  async open(gallery) {
    this.#galleries[gallery] = await this.avse.openGallery(`/made/${gallery}/`);
  }

  async close(gallery) {
    await this.#galleries[gallery].close();
    delete this.#galleries[gallery];
  }

  async encodeText({ text }) {
    const { blocks, seconds } = await this.avse.encodeText(text);
    return { value: blocks, seconds };
  }

  async encodeImage(image) {
    const { blocks, seconds } = await this.avse.encodeImage(image);
    return { value: blocks, seconds };
  }

  async search(gallery, query) {
    const kind = gallery.startsWith("images") ? "captions" : "images";
    const embedding = { kind, blocks: query, seconds: 0 };
    const { hits, seconds } = await this.avse.search(this.#galleries[gallery], embedding, { k: 10 });
    return { value: hits[0].index, seconds: seconds.search };
  }

  async queryText({ text }, gallery) {
    const { hits } = await this.avse.searchText(this.#galleries[gallery], text, { k: 10 });
    return hits[0].index;
  }

  async queryImage(file, gallery) {
    const { hits } = await this.avse.searchImage(this.#galleries[gallery], file, { k: 10 });
    return hits[0].index;
  }
}
