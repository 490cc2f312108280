// A tiny dataset in the official layout, a tiny network trained on it for a moment, and its export for the web: small
// enough for a WebGPU adapter made of software.

import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";

import { avse } from "./native.mjs";
import { scratchFolder } from "./paths.mjs";
import { drawing } from "./pictures.mjs";

const SPLITS = { train: 8, dev: 4, test: 12 };
const CAPTIONS = 5;

/** The same sizes as in trainer-native/tests/cli/support.rs. */
const CONFIG = `
dataset = "f30k"
seed = 1
batch_size = 8
num_epochs = 1
workers = 1
vocabulary_size = 200

[model]
embed_size = 32
block_size = 16
image_size = 32
pooling = { position_size = 8, hidden_size = 8, temperature = 0.1 }

[model.image]
model_type = "vit"
hidden_size = 16
num_hidden_layers = 1
num_attention_heads = 2
intermediate_size = 32
image_size = 32
patch_size = 8

[model.text]
vocab_size = 0
hidden_size = 16
num_hidden_layers = 1
num_attention_heads = 2
intermediate_size = 32
max_position_embeddings = 24

[optimiser]
learning_rate = 1e-3
`;

/** Sentences to ask; some have words that the tiny vocabulary does not know. */
export const SENTENCES = ["Picture 3 of test, sentence 2.", "a picture", "an angry cat on a unicycle"];

let made;

/** The export: `{folder, pictures}` with the paths of the twelve pictures in it. Made once. */
export function tiny() {
  made ??= make();
  return made;
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
  await writeFile(join(root, "tiny.toml"), CONFIG);
  const data = ["--data_path", join(root, "data")];
  await avse("train", "--config", join(root, "tiny.toml"), ...data, "--logger_name", join(root, "run"), "--gpu-id", "cpu");
  const folder = join(root, "export");
  await avse(
    "export-web", "--out", folder, "--model", join(root, "run/best"), "--dataset", "f30k", ...data,
    "--precision", "f32", "--gallery-precision", "f32", "--domain", "generated patterns", "--gpu-id", "cpu",
  );
  return { folder, pictures };
}
