/** @type {import("vite").UserConfig} */
export default {
  // Addresses relative to the page, so that the built folder can be served from anywhere.
  base: "./",
  // Only versions before 8 need this: their pre-bundling parts the package's scripts from the worker beside them.
  optimizeDeps: { exclude: ["avse-web"] },
};
