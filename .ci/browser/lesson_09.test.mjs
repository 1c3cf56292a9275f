import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { press, say, sees, useBrowser } from "./browser.mjs";
import { enter, login } from "./users.mjs";
import {
  PING_AFTER,
  everyHeartbeat,
  fallSilent,
  openBehindProxy,
  openWithClock,
  until,
} from "./heartbeat.mjs";
import { LIMITS, everyPage, serve } from "./lesson.mjs";

describe("lesson 09, a heartbeat", LIMITS, () => {
  useBrowser();
  const lesson = serve("lesson_09_heartbeat");
  everyPage(lesson, { enter, login, path: "/ws/chat/quiet" });
  everyHeartbeat(lesson);

  const page09 = () => `${lesson.server.url}/${lesson.page}`;
  const exchange = ['sent {"type":"ping"}', 'received {"type":"pong"}'];

  test("whatever the server sends postpones the ping of the page", async (t) => {
    const { page, frames } = await openWithClock(t, page09());
    await enter(page, "ana");
    const before = await page.locator("#last-message").textContent();

    await page.clock.fastForward(PING_AFTER - 5_000);
    await say(page, "hello");
    await sees(page, "#log .sent", "hello", "the server answers");
    await page.clock.fastForward(PING_AFTER - 5_000);

    assert.equal(
      frames.filter((frame) => frame === exchange[0]).length,
      0,
      "the page has no reason to send a ping",
    );
    const after = await page.locator("#last-message").textContent();
    assert.notEqual(after, before, "the page shows when the server last sent something");
  });

  test("a page whose timers come late keeps a server that answers", async (t) => {
    const { page, frames } = await openWithClock(t, page09());
    await enter(page, "ana");

    for (let minutes = 1; minutes <= 3; minutes += 1) {
      await page.clock.fastForward(60_000);
      await until(() => frames.length === 2 * minutes);
    }

    assert.deepEqual(frames, [...exchange, ...exchange, ...exchange], "it sends a ping each time");
    await sees(page, "#state", "Connected as ana.", "and the page stays");
  });

  test("a page whose server no longer answers says so, closes, and may try again", async (t) => {
    const { proxy, page } = await openBehindProxy(t, lesson);
    await enter(page, "ben");

    await fallSilent(page, proxy, "ben");

    await sees(page, "#state", "The server no longer answers.", "the page finds out");
    assert.equal(
      await page.getByRole("button", { name: "Send", exact: true }).isVisible(),
      false,
      "nobody can send on a lost connection",
    );
    await press(page, "Connect again");
    await sees(page, "#state", "Code 4009", "the server has not found out yet");
  });
});
