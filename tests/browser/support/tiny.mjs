// A tiny dataset in the official layout, a tiny network trained on it for a moment, and its export for the web: small
// enough for a WebGPU adapter made of software.

import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";

import { avse } from "./native.mjs";
import { ROOT, scratchFolder } from "./paths.mjs";
import { drawing } from "./pictures.mjs";

const SPLITS = { train: 8, dev: 4, test: 12 };
const CAPTIONS = 5;

/** What the tests of the command line train, too. */
const CONFIG = join(ROOT, "tests/fixtures/tiny.toml");

/** Sentences to ask; some have words that the tiny vocabulary does not know. */
export const SENTENCES = ["Picture 3 of test, sentence 2.", "a picture", "an angry cat on a unicycle"];

let made;

/**
 * The export with weights as they are: `{folder, pictures, model, data}` with the paths of the export, of the twelve pictures
 * in it, of the trained bundle and of the dataset. Made once.
 */
export function tiny() {
  made ??= make();
  return made;
}

/** Another export of the same network; `options` are further ones of `avse export-web`. */
export async function tinyAs(name, ...options) {
  const { model, data } = await tiny();
  return exportWeb(join(scratchFolder(), "tiny", name), model, data, options);
}

async function exportWeb(folder, model, data, options) {
  const source = ["--model", model, "--dataset", "f30k", "--data_path", data];
  await avse("export-web", "--out", folder, ...source, "--domain", "generated patterns", "--gpu-id", "cpu", ...options);
  return folder;
}

async function make() {
  const root = join(scratchFolder(), "tiny");
  const images = join(root, "data/flickr30k-images");
  const lists = join(root, "data/f30k");
  await mkdir(images, { recursive: true });
  await mkdir(lists, { recursive: true });
  const mapping = {};
  const pictures = [];
  for (const [split, count] of Object.entries(SPLITS)) {
    const [ids, captions] = [[], []];
    for (let image = 0; image < count; image++) {
      const id = `${split}${image}`;
      mapping[id] = `${id}.png`;
      for (let caption = 0; caption < CAPTIONS; caption++) {
        ids.push(id);
        captions.push(`Picture ${image} of ${split}, sentence ${caption}.`);
      }
      await writeFile(join(images, `${id}.png`), drawing(image + split.length));
      if (split === "test") pictures.push(join(images, `${id}.png`));
    }
    await writeFile(join(lists, `${split}_ids.txt`), ids.join("\n"));
    await writeFile(join(lists, `${split}_caps.txt`), captions.join("\n"));
  }
  await writeFile(join(lists, "id_mapping.json"), JSON.stringify(mapping));
  const [data, run] = [join(root, "data"), join(root, "run")];
  await avse("train", "--config", CONFIG, "--num_epochs", "1", "--data_path", data, "--logger_name", run, "--gpu-id", "cpu");
  const model = join(run, "best");
  const folder = await exportWeb(join(root, "export"), model, data, ["--precision", "f32", "--gallery-precision", "f32"]);
  return { folder, pictures, model, data };
}
