/** @type {import("next").NextConfig} */
export default {
  // Only because this folder lies in a repository with other lock files.
  outputFileTracingRoot: import.meta.dirname,
  turbopack: { root: import.meta.dirname },
};
