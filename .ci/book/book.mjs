// Serves the built book to the tests.

import { readFileSync } from "node:fs";
import { createServer } from "node:http";

export const ROOT = new URL("../../", import.meta.url);

/** Every page, in the order of the book. */
export const PAGES = [
  ...readFileSync(new URL("book/src/SUMMARY.md", ROOT), "utf8").matchAll(/\]\((.+?)\.md\)/g),
].map(([, page]) => `${page}.html`);

/**
 * mdBook's button for the list of chapters is a label. For the keyboard and for screen readers
 * our script makes a button of it, and axe-core wants no label to be one.
 */
export const MDBOOK = { without: ["aria-allowed-role"] };

const TYPES = { html: "text/html", css: "text/css", js: "text/javascript", svg: "image/svg+xml" };

/** On port 3000 it is as with `mdbook serve`: the servers of the course know it there. */
export async function serveBook(port = 0) {
  const server = createServer(({ url }, answer) => {
    const path = decodeURIComponent(url.split("?")[0]);
    try {
      const body = readFileSync(new URL(`book/html${path}`, ROOT));
      const type = TYPES[path.split(".").pop()] ?? "application/octet-stream";
      answer.writeHead(200, { "Content-Type": type }).end(body);
    } catch {
      answer.writeHead(404).end();
    }
  });
  await new Promise((resolve, reject) => {
    server.once("error", reject).listen(port, "127.0.0.1", resolve);
  });
  return {
    at: (page) => `http://127.0.0.1:${server.address().port}/${page}`,
    close: () => server.close(),
  };
}
