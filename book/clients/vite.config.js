import { fileURLToPath } from "node:url";

import react from "@vitejs/plugin-react";
import vue from "@vitejs/plugin-vue";
import { defineConfig } from "vite";

const here = (path) => fileURLToPath(new URL(path, import.meta.url));

/** Where lesson 16 runs. Vite passes on to it what is not a page of ours. */
const target = process.env.SERVER ?? "http://127.0.0.1:8000";

// Why `changeOrigin: false`? Then the server sees the host to which the browser speaks, and
// that is also the host in `Origin`. So our pages count as its own.
const proxy = {
  "/api": { target, changeOrigin: false, ws: true },
  "/login": { target, changeOrigin: false },
};

const PAGES = ["plain", "react", "vue", "guide/plain", "guide/react", "guide/vue"];

export default defineConfig({
  plugins: [react(), vue()],
  // Your app has a copy of its own. Ours would be a second one.
  resolve: { alias: { "./live.js": here("../../static/live.js") } },
  build: { rollupOptions: { input: PAGES.map((page) => here(`${page}/index.html`)) } },
  server: { proxy, fs: { allow: [here("../..")] } },
  preview: { proxy },
});
