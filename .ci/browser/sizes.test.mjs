// How much a page loads: its scripts and styles, in bytes, all of them from its own server.

import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { openWindow, press, useBrowser } from "./browser.mjs";
import { LIMITS } from "./lesson.mjs";
import { start } from "./server.mjs";

const wire = async (page) => {
  await press(page, "Wire");
  await page.locator("wire-view .list").waitFor();
};

/** What each page may load, in kilobytes: some 10 % more than it did when we wrote it down. */
const PAGES = [
  { name: "lesson_07_rooms", file: "lesson_07.html", most: 79 },
  { name: "lesson_07_rooms", file: "lesson_07.html", most: 150, open: wire, what: ", the wire view open" },
  { name: "lesson_07_rooms", file: "lab.html", most: 162 },
  { name: "lesson_24_capstone", file: "lesson_24.html", most: 122 },
];

describe("what a page loads", LIMITS, () => {
  useBrowser();

  for (const { name, file, most, open, what = "" } of PAGES) {
    test(`${file}${what}: ${most} kB of scripts and styles at most, and all is ours`, async (t) => {
      const server = await start(name);
      const urls = [];
      const files = [];
      const page = await openWindow(t, `${server.url}/${file}`, {
        prepare(page) {
          page.on("request", (request) => urls.push(request.url()));
          page.on("websocket", (socket) => urls.push(socket.url().replace(/^ws/, "http")));
          page.on("response", (response) => {
            if (["script", "stylesheet"].includes(response.request().resourceType()))
              files.push(response.body());
          });
        },
      });
      t.after(() => server.stop()); // After the window, which may still ask for something.
      await open?.(page);
      await page.waitForLoadState("networkidle");

      const bodies = await Promise.all(files);
      const bytes = bodies.reduce((sum, { length }) => sum + length, 0);
      t.diagnostic(`${bytes} bytes in ${bodies.length} files`);

      assert.ok(bodies.length > 5, `it should load more than ${bodies.length} scripts and styles`);
      assert.ok(
        bytes < most * 1000,
        `${file} loads ${bytes} bytes of scripts and styles, and ${most} kB is the most. ` +
          "If that is worth it, write the new limit down.",
      );
      const foreign = urls.filter((url) => new URL(url).origin !== server.url);
      assert.deepEqual(foreign, [], "nothing comes from another server");
    });
  }
});
