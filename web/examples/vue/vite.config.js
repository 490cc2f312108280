import vue from "@vitejs/plugin-vue";

/** @type {import("vite").UserConfig} */
export default {
  plugins: [vue({ template: { compilerOptions: { isCustomElement: (tag) => tag === "avse-search" } } })],
};
