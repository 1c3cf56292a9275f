import { describe, test } from "node:test";

import { press, say, sees, useBrowser } from "./browser.mjs";
import { LIMITS, connected, everyPage, serve } from "./lesson.mjs";

describe("lesson 01, echo", LIMITS, () => {
  useBrowser();
  const lesson = serve("lesson_01_echo");
  everyPage(lesson, { enter: connected, path: "/ws" });

  test("text comes back with a word in front", async (t) => {
    const page = await lesson.open(t);

    await say(page, "hello");

    await sees(page, "#log .sent", "hello", "we see what we sent");
    await sees(page, "#log .received", "Echo: hello", "and what came back");
  });

  test("bytes come back as they are", async (t) => {
    const page = await lesson.open(t);

    await press(page, "Send four bytes");

    await sees(page, "#log .received", "4 bytes: 0 127 128 255", "the very bytes came back");
  });
});
