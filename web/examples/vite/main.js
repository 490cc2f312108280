import { Avse, AvseError } from "avse-web";
import "avse-web/element";

const [form, text, progress, status, results] = ["form", "text", "progress", "status", "results"].map((id) => document.getElementById(id));

/** Ends the search that is running, when another one begins. */
let running = new AbortController();

try {
  const onProgress = ({ loaded, total }) => Object.assign(progress, { max: total, value: loaded });
  const avse = await Avse.load("data/", { onProgress });
  const gallery = await avse.openGallery("data/pictures/", { onProgress });
  progress.hidden = true;
  status.textContent = `${gallery.size} pictures, on ${avse.info.device === "webgpu" ? "WebGPU" : "the processor"}`;

  const search = async () => {
    running.abort();
    running = new AbortController();
    if (!text.value.trim()) return results.replaceChildren();
    const { hits, seconds } = await avse.searchText(gallery, text.value, { k: 8, signal: running.signal });
    status.textContent = `${Math.round(1000 * (seconds.encode + seconds.search))} ms`;
    results.replaceChildren(...await Promise.all(hits.map((hit) => row(gallery, hit))));
  };
  const asked = () => search().catch(show);
  text.addEventListener("input", asked);
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    asked();
  });
  if (text.value) asked();
} catch (error) {
  show(error);
}

/** A result with its picture. */
async function row(gallery, { index, key, caption, score }) {
  const item = document.createElement("li");
  const thumbnail = await gallery.thumbnail(index);
  if (thumbnail) {
    const image = new Image(64, 64);
    image.src = URL.createObjectURL(thumbnail);
    image.alt = "";
    image.onload = () => URL.revokeObjectURL(image.src);
    item.append(image);
  }
  item.append(` ${caption ?? key} (${score.toFixed(2)})`);
  return item;
}

function show(error) {
  if (error.name === "AbortError") return;
  status.textContent = error instanceof AvseError ? `${error.code}: ${error.message}` : String(error);
}
