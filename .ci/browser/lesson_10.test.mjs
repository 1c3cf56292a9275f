import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { press, say, sees, useBrowser } from "./browser.mjs";
import { LIMITS, everyPage, rejected, serve } from "./lesson.mjs";
import { enter, login } from "./users.mjs";

/** The numbers in what the page says about its messages, or about its visits. */
async function result(page, text, why) {
  await sees(page, "#result", text, why);
  return (await page.locator("#result").textContent()).match(/\d+/g).map(Number);
}

describe("lesson 10, a rate limit", LIMITS, () => {
  useBrowser();
  const lesson = serve("lesson_10_rate_limit");
  everyPage(lesson, { enter, login, path: "/ws/chat/quiet" });

  test("thirty messages at once are too many, and the server says when to try again", async (t) => {
    const page = await lesson.open(t);
    await enter(page, "ana");
    await page.waitForTimeout(1000); // The two tokens that the connection has cost are back.

    await press(page, "Send 30 messages at once");

    await sees(page, "#log .problem", "too many messages: try again in 0.1 seconds", "it says when");
    await sees(page, "#log .sent", "15 of 30", "the first ones are fine");
    await page.waitForTimeout(1000);
    await say(page, "hello");
    await sees(page, "#log .sent", "hello", "after a pause one can go on");
    const done = "0 have no answer";
    const [, passed] = await result(page, done, "each of the thirty has an answer");
    assert.ok(passed >= 20 && passed < 30, `a burst passes, and not all: ${passed}`);
  });

  test("three hundred messages at once end the session, and the page says why", async (t) => {
    const ben = await lesson.open(t);
    await enter(ben, "ben");
    const ana = await lesson.open(t);
    await enter(ana, "ana");

    await press(ana, "Send 300 messages at once");

    await sees(ana, "#state", "too many messages", "the page shows the reason");
    await sees(ana, "#state", "Code 1008", "and the code");
    const [, passed, refused] = await result(ana, "Sent 300", "the page has counted");
    assert.ok(passed < 100, `few have passed: ${passed}`);
    assert.ok(refused > 50 && refused <= 150, `some refusals came before: ${refused}`);
    const buttons = ana.getByRole("button", { name: "Send 30 messages at once" });
    assert.equal(await buttons.isDisabled(), true, "and there is no socket to send to");
    await sees(ben, "#log .notice", "ana left.", "Ben sees the flooder leave");
    await say(ben, "Peace.");
    await sees(ben, "#log .sent", "Peace.", "and is not affected");
  });

  test("who joins and leaves too often is rejected, and a page sees 1006", async (t) => {
    const page = await lesson.open(t, { excused: [rejected(429)] });
    await enter(page, "cem");

    await press(page, "Join and leave 20 times");

    const hidden = "a browser hides the reason.";
    const [letIn] = await result(page, hidden, "the page has asked over HTTP");
    assert.ok(letIn >= 9 && letIn < 20, `some visits are let in: ${letIn}`);
    await sees(page, "#result", "Code 1006", "which is all that a page gets");
    await sees(page, "#state", "Connected as cem.", "the first socket stays open");
  });
});
