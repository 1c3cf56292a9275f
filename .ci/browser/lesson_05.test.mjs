import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { fill, lines, press, say, sees, useBrowser } from "./browser.mjs";
import { LIMITS, connected, everyPage, refused, serve } from "./lesson.mjs";

describe("lesson 05, query parameters", LIMITS, () => {
  useBrowser();
  const lesson = serve("lesson_05_query_params");
  const enter = async (page, id = "7") => {
    await fill(page, "Client id", id === "ana" ? "7" : id);
    await press(page, "Connect");
    await connected(page);
  };
  everyPage(lesson, { enter, path: "/ws/12?token=let-me-in" });

  test("with echo we hear ourselves, without it we do not", async (t) => {
    const ana = await lesson.open(t);
    const ben = await lesson.open(t);
    await enter(ana, "7");
    await ben.getByLabel("Let me hear my own words").uncheck();
    await enter(ben, "8");
    await sees(ana, "#log .heard", "Client 8 joined.", "Ben is there");

    await say(ana, "one");
    await sees(ana, "#log .heard", "Client 7: one", "Ana hears herself");
    await say(ben, "two");
    await sees(ana, "#log .heard", "Client 8: two", "Ana hears Ben");
    await say(ana, "three");
    await sees(ben, "#log .heard", "Client 7: three", "Ben hears Ana");
    const heard = await lines(ben, "heard");
    assert.ok(
      !heard.some((line) => line.includes("two")),
      `Ben should not hear himself, but heard ${JSON.stringify(heard)}`,
    );
  });

  test("a wrong token is refused, and the page cannot read why", async (t) => {
    const page = await lesson.open(t, { excused: [refused(401)] });
    await fill(page, "Token", "open sesame");

    await press(page, "Connect");

    await sees(page, "#state", "Code 1006", "all that a page sees of a refusal");
  });

  test("asked politely, the server says why it refuses", async (t) => {
    const page = await lesson.open(t);
    await fill(page, "Token", "open sesame");
    await page.getByLabel("If you refuse, tell me why").check();

    await press(page, "Connect");

    await sees(page, "#state", "Code 4001, “", "the page has a code and a reason");
  });

  test("asked politely and with the right token, one is let in", async (t) => {
    const page = await lesson.open(t);
    await page.getByLabel("If you refuse, tell me why").check();

    await enter(page, "10");
    await say(page, "thank you");

    await sees(page, "#log .heard", "Client 10: thank you", "the conversation works");
  });
});
