// The package as the built site holds it, beside the page's scripts. Its types come from its own
// build, which therefore goes first.
export * from "../../../package/dist/index.js";
