import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { lines, openWindow, press, sees, useBrowser } from "./browser.mjs";
import { LIMITS, NO_SERVER, everyPage, rejected, serve } from "./lesson.mjs";
import { start } from "./server.mjs";
import { enter, login } from "./users.mjs";

const OWN = "“too many connections of yours”";

describe("lesson 11, connection limits", LIMITS, () => {
  useBrowser();
  const lesson = serve("lesson_11_connection_limits");
  everyPage(lesson, { enter, login, path: "/ws/chat/quiet" });

  /** Opens a window on a server of its own, with these variables. */
  async function visit(t, variables, excused = []) {
    const server = await start(lesson.name, 0, variables);
    t.after(() => server.stop());
    return openWindow(t, `${server.url}/${lesson.page}`, {
      excused: [NO_SERVER, ...excused],
    });
  }

  test("of ten more connections four are let in, and the others are told why", async (t) => {
    const page = await lesson.open(t);
    await enter(page, "cem");

    await press(page, "Open 10 connections");

    await sees(page, "#log .notice", "4 of 10 connections were let in.", "five in all");
    await sees(page, "#log .problem", "6 of 10: ", "the page counts the others");
    await sees(page, "#log .problem", OWN, "and shows what the server said");
    await sees(page, "#log .problem", "Code 1008", "with its code");
    await sees(page, "#state", "Connected as cem.", "the first one stays open");
  });

  test("a second later the same four are let in again", async (t) => {
    const page = await visit(t, {});
    await enter(page, "ana");

    for (const round of [1, 2]) {
      await press(page, "Open 10 connections");
      await page.locator("#log .problem").nth(round - 1).waitFor();
    }

    const notices = await lines(page, "notice");
    const letIn = notices.filter((line) => line.includes("were let in"));
    const expected = Array(2).fill("4 of 10 connections were let in.");
    assert.deepEqual(letIn, expected, "nothing has been used up");
  });

  test("with more connections for each, rooms are what runs out", async (t) => {
    const page = await visit(t, { MAX_CONNECTIONS_PER_USER: "200" });
    await enter(page, "ana");

    await press(page, "Open 120 connections");

    const notice = "99 of 120 connections were let in.";
    await sees(page, "#log .notice", notice, "a hundred rooms, and we are in one");
    await sees(page, "#log .problem", "“there are too many rooms”", "it says what ran out");
    await sees(page, "#log .problem", "Code 1013", "and that it will pass");
  });

  test("a full server rejects before the upgrade, and the page cannot see why", async (t) => {
    const page = await visit(t, { MAX_CONNECTIONS: "1" }, [rejected(503)]);
    await enter(page, "ana");

    await press(page, "Open 10 connections");

    await sees(page, "#log .notice", "0 of 10 connections were let in.", "one in all");
    await sees(page, "#log .problem", "Code 1006", "the browser hides the status");
    await sees(page, "#state", "Connected as ana.", "who is in stays in");
  });
});
