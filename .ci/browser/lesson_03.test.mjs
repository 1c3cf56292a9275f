import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { lines, say, sees, useBrowser } from "./browser.mjs";
import { LIMITS, connected, everyPage, serve } from "./lesson.mjs";

describe("lesson 03, the connection manager", LIMITS, () => {
  useBrowser();
  const lesson = serve("lesson_03_connection_manager");
  everyPage(lesson, { enter: connected, path: "/ws" });

  test("two windows see each other come, talk and leave, and not themselves", async (t) => {
    const ana = await lesson.open(t);
    await sees(ana, "#log .received", "You are client", "the server greets Ana");
    const ben = await lesson.open(t);
    await sees(ben, "#log .received", "You are client", "the server greets Ben");
    await sees(ana, "#log .received", " joined.", "Ana sees Ben come");

    await say(ben, "still here?");
    await sees(ana, "#log .received", ": still here?", "Ana hears Ben");
    await say(ana, "still here.");
    await sees(ben, "#log .received", ": still here.", "Ben hears Ana");
    const received = await lines(ben, "received");
    assert.ok(
      !received.some((line) => line.includes("still here?")),
      `Ben should not hear himself, but heard ${JSON.stringify(received)}`,
    );

    await ben.close();
    await sees(ana, "#log .received", " left.", "Ana sees Ben leave");
  });
});
