import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { press, say, sees, useBrowser } from "./browser.mjs";
import { LIMITS, connected, everyPage, serve } from "./lesson.mjs";

describe("lesson 02, disconnect", LIMITS, () => {
  useBrowser();
  const lesson = serve("lesson_02_disconnect");
  everyPage(lesson, { enter: connected, path: "/ws" });

  test("bye is answered with a Close, and the page shows all that is in it", async (t) => {
    const page = await lesson.open(t);

    await press(page, "Say “bye”");

    await sees(page, "#state", "Code 1000, “Goodbye!”", "the server closes");
    await sees(page, "#code", "1000", "the code is shown");
    await sees(page, "#reason", "Goodbye!", "the reason is shown");
    await sees(page, "#clean", "true", "the closing handshake is complete");
  });

  test("a Close with 1000 is answered, and one can connect again", async (t) => {
    const page = await lesson.open(t);

    await press(page, "Close with 1000");

    await sees(page, "#code", "1000", "our own code comes back");
    await sees(page, "#clean", "true", "the server answered our Close");
    await press(page, "Connect again");
    await connected(page);
    await sees(page, "#code", "not yet", "this connection has not ended");
  });

  test("the count follows those who come and go", async (t) => {
    const ana = await lesson.open(t);
    const ben = await lesson.open(t);
    await say(ana, "hi");
    await say(ben, "hi");
    await sees(ana, "#log", "Echo: hi", "Ana is served");
    await sees(ben, "#log", "Echo: hi", "Ben is served");

    // Those of other tests may be leaving.
    await counts(ana, "2 connections.", "Ana and Ben are there");

    await ben.close();
    await counts(ana, "1 connection.", "Ben has closed his window");
  });

  /** Asks for the count until it is as expected. */
  async function counts(page, expected, why) {
    for (let tries = 0; tries < 100; tries += 1) {
      await press(page, "Count the connections");
      if ((await page.locator("#count").textContent()) === expected) return;
      await page.waitForTimeout(50);
    }
    assert.fail(`${why}, so the count should be ${expected}`);
  }
});
