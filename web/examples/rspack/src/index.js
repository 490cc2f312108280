import { Avse } from "avse-web";
import "avse-web/element";

const [text, status, results] = ["text", "status", "results"].map((id) => document.getElementById(id));

async function start() {
  const avse = await Avse.load("data/");
  const gallery = await avse.openGallery("data/pictures/");
  status.textContent = `${gallery.size} pictures`;
  text.addEventListener("change", async () => {
    const { hits } = await avse.searchText(gallery, text.value, { k: 5 });
    results.replaceChildren(...hits.map(({ key, caption }) => Object.assign(document.createElement("li"), { textContent: caption ?? key })));
  });
}

start().catch((error) => (status.textContent = String(error)));
