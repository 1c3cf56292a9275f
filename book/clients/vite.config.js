import { fileURLToPath } from "node:url";

import react from "@vitejs/plugin-react";
import vue from "@vitejs/plugin-vue";
import { defineConfig } from "vite";

const here = (path) => fileURLToPath(new URL(path, import.meta.url));

/** Where lesson 14 runs. Its API is reached through our own address: no other origin. */
const server = process.env.SERVER ?? "http://127.0.0.1:8000";
const proxy = { "/api": { target: server, ws: true }, "/login": server };

export default defineConfig({
  plugins: [react(), vue()],
  // Your app has a copy of its own. Ours would be a second one.
  resolve: { alias: { "./live.js": here("../../static/live.js") } },
  build: {
    rollupOptions: {
      input: ["plain", "react", "vue"].map((name) => here(`${name}/index.html`)),
    },
  },
  server: { proxy, fs: { allow: [here("../..")] } },
  preview: { proxy },
});
