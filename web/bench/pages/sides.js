// Who is measured, by name.

import { Ours } from "./ours.js";
import { Peer } from "./peer.js";

const SIDES = {
  "ours-wasm": () => new Ours("wasm"),
  "ours-webgpu": () => new Ours("webgpu"),
  "peer-wasm": () => new Peer("wasm"),
  "peer-webgpu": () => new Peer("webgpu"),
};

export const side = (name) => SIDES[name]();
