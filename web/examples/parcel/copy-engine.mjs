import { cp } from "node:fs/promises";

// Parcel makes other scripts of the engine's; the files as they are go beside the page.
await cp(new URL("wasm/", import.meta.resolve("avse-web/worker")), "dist/engine", { recursive: true });
