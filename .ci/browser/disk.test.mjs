// A page that somebody opens from the disk, with a double click on the file.

import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { openWindow, sees, useBrowser } from "./browser.mjs";

const PAGES = new URL("../../static/", import.meta.url);

describe("a page that was opened from the disk", () => {
  useBrowser();

  for (const [file, command] of [
    ["lesson_07.html", "cargo run -p lesson_07_rooms"],
    ["chat.html", "cargo run -p exercises"],
    ["lab.html", "cargo run -p lesson_01_echo"],
  ]) {
    test(`${file} says what is wrong and where to go`, async (t) => {
      const page = await openWindow(t, new URL(file, PAGES).href, {
        // A browser loads no modules from the disk. That is what is wrong.
        excused: [/blocked by CORS policy/, /ERR_FAILED/, /ERR_FILE_NOT_FOUND/],
      });

      await sees(page, "main", "opened from the disk", "it says what is wrong");
      await sees(page, "main pre", command, "and how to start the server");
      const link = page.locator("main a");
      assert.equal(await link.getAttribute("href"), `http://127.0.0.1:8000/${file}`);
      assert.equal(await page.locator("button").count(), 0, "nothing is left without effect");
    });
  }
});
