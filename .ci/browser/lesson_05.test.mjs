import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { fill, lines, press, say, sees, useBrowser } from "./browser.mjs";
import { LIMITS, connected, everyPage, rejected, serve } from "./lesson.mjs";

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
    await ben.getByLabel("Send me my own messages, too").uncheck();
    await enter(ben, "8");
    await sees(ana, "#log .received", "Client 8 joined.", "Ben is there");

    await say(ana, "one");
    await sees(ana, "#log .received", "Client 7: one", "Ana hears herself");
    await say(ben, "two");
    await sees(ana, "#log .received", "Client 8: two", "Ana hears Ben");
    await say(ana, "three");
    await sees(ben, "#log .received", "Client 7: three", "Ben hears Ana");
    const received = await lines(ben, "received");
    assert.ok(
      !received.some((line) => line.includes("two")),
      `Ben should not hear himself, but heard ${JSON.stringify(received)}`,
    );
  });

  test("a wrong token is rejected, and the page cannot read why", async (t) => {
    const page = await lesson.open(t, { excused: [rejected(401)] });
    await fill(page, "Token", "open sesame");

    await press(page, "Connect");

    await sees(page, "#state", "Code 1006", "all that a page sees of a rejection");
    await sees(page, "#state", "so it rejected us", "and HTTP says that the server is there");
  });

  test("a server that accepts first can say why it closes", async (t) => {
    const page = await lesson.open(t);
    await fill(page, "Token", "open sesame");
    await page.getByLabel("Accept first, and close with a reason").check();

    await press(page, "Connect");

    await sees(page, "#state", "Code 4001, “", "the page has a code and a reason");
  });

  test("at the polite address a valid token works, too", async (t) => {
    const page = await lesson.open(t);
    await page.getByLabel("Accept first, and close with a reason").check();

    await enter(page, "10");
    await say(page, "thank you");

    await sees(page, "#log .received", "Client 10: thank you", "the conversation works");
  });
});
