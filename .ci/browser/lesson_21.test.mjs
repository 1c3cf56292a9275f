import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { overflow, say, sees, useBrowser } from "./browser.mjs";
import { LIMITS, everyPage, serve } from "./lesson.mjs";
import { enter, login } from "./users.mjs";

describe("lesson 21, observability", LIMITS, () => {
  useBrowser();
  const lesson = serve("lesson_21_observability");
  everyPage(lesson, { enter, login, path: "/ws/chat/quiet" });

  /** The number in the row with this name, once it is as wanted. */
  async function waitsFor(page, name, isWanted) {
    const cell = page.locator("#metrics tbody tr").filter({ hasText: name }).locator("td").last();
    const deadline = Date.now() + 20_000;
    for (;;) {
      const text = await cell.textContent();
      if (text && isWanted(parseFloat(text))) return text;
      assert.ok(Date.now() < deadline, `“${name}” should change, but is “${text}”`);
      await page.waitForTimeout(100);
    }
  }

  test("an operator sees the numbers change", async (t) => {
    const ana = await lesson.open(t);
    await enter(ana, "ana");
    await sees(ana, "#metrics-state", "Live", "she is an operator");
    const before = parseFloat(await waitsFor(ana, "Connections", (value) => value >= 1));

    const ben = await lesson.open(t);
    await enter(ben, "ben");
    await waitsFor(ana, "Connections", (value) => value === before + 1);
    const talking = { on: true };
    const talk = (async () => {
      while (talking.on) await say(ben, "hello");
    })();
    await waitsFor(ana, "Chats per second", (value) => value > 0);
    await waitsFor(ana, "Deliveries per second", (value) => value > 0);
    const time = await waitsFor(ana, "99 of 100 broadcasts", (value) => value > 0);
    assert.match(time, /^[\d.,]+ ms$/, "a broadcast takes milliseconds");
    talking.on = false;
    await talk;
    await waitsFor(ana, "Chats per second", (value) => value === 0);

    const points = await ana.locator("#metrics polyline").first().getAttribute("points");
    assert.ok(points.split(" ").length > 1, "the curve has a point for each second");
  });

  test("others have the chat, and read why they get no numbers", async (t) => {
    const page = await lesson.open(t);

    await enter(page, "ben");

    await sees(page, "#metrics-state", "Not live: only operators get the metrics.", "a Close");
  });

  test("the numbers fit onto a phone", async (t) => {
    const page = await lesson.open(t, { viewport: { width: 390, height: 844 } });

    await enter(page, "ana");
    await waitsFor(page, "Connections", (value) => value >= 1);

    assert.equal(await overflow(page), 0, "nothing is wider than the window");
  });
});
