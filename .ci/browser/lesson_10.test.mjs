import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { lines, press, say, sees, useBrowser } from "./browser.mjs";
import { enter, login } from "./users.mjs";
import { everyHeartbeat } from "./heartbeat.mjs";
import { LIMITS, everyPage, serve } from "./lesson.mjs";

describe("lesson 10, limits", LIMITS, () => {
  useBrowser();
  const lesson = serve("lesson_10_limits");
  everyPage(lesson, { enter, login, path: "/ws/chat/quiet" });
  everyHeartbeat(lesson);

  test("thirty things at once are too many, and the server says when to try again", async (t) => {
    const page = await lesson.open(t);
    await enter(page, "ana");

    await press(page, "Say 30 things at once");

    await sees(page, "#log .sent", "20 of 30", "twenty are fine");
    await sees(page, "#log .problem", "try again in 0.1 seconds", "the rest is refused");
    assert.ok((await lines(page, "sent")).length < 30, "and does not appear");
    await page.waitForTimeout(200);
    await say(page, "hello");
    await sees(page, "#log .sent", "hello", "after a pause one can go on");
  });

  test("three hundred things at once end the session, and the page says why", async (t) => {
    const ben = await lesson.open(t);
    await enter(ben, "ben");
    const ana = await lesson.open(t);
    await enter(ana, "ana");

    await press(ana, "Say 300 things at once");

    await sees(ana, "#state", "too many messages", "the page shows the reason");
    await sees(ana, "#state", "Code 1008", "and the code");
    await sees(ben, "#log .notice", "ana left.", "Ben sees the flooder go");
    await sees(ben, "#state", "Connected as ben.", "and stays himself");
  });

  test("of ten connections more, four are let in", async (t) => {
    const page = await lesson.open(t);
    await enter(page, "cem");

    await press(page, "Open ten connections");

    await sees(page, "#log .notice", "4 of 10 connections were let in.", "five in all");
    await sees(
      page,
      "#log .problem",
      "too many connections of yours",
      "the page shows what the server said to the others",
    );
    await sees(page, "#state", "Connected as cem.", "the first one stays open");
  });

  test("a page that was too slow says how much it has missed", async (t) => {
    const page = await lesson.open(t, {
      prepare: (page) =>
        page.routeWebSocket("**/ws/chat/**", (socket) => {
          socket.send(JSON.stringify({ type: "missed", count: 12 }));
        }),
    });

    await enter(page, "ana");

    await sees(page, "#log .problem", "missed 12 messages", "in words for people");
  });
});
