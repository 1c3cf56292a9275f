import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { fill, lines, press, say, sees, useBrowser } from "./browser.mjs";
import { LIMITS, connected, everyPage, serve } from "./lesson.mjs";

describe("lesson 06, JSON", LIMITS, () => {
  useBrowser();
  const lesson = serve("lesson_06_json");
  const enter = async (page, name) => {
    await fill(page, "Your name", name);
    await press(page, "Join");
    await connected(page);
  };
  everyPage(lesson, { enter, path: "/ws/eve" });

  test("chat and ping are answered, and shown in words and as they came", async (t) => {
    const page = await lesson.open(t);
    await enter(page, "ana");

    await say(page, "hello");
    await press(page, "Ping");

    await sees(page, "#log .said", '{"type":"chat","content":"hello"}', "what we sent");
    await sees(page, "#log .heard", "ana: hello", "our own chat, in words");
    await sees(page, "#log .heard small", '"content":"hello"', "and as it came");
    await sees(page, "#log .heard", "Pong!", "the answer to our ping");
  });

  test("something wrong is answered, and the conversation goes on", async (t) => {
    const page = await lesson.open(t);
    await enter(page, "ana");

    await press(page, "Send as it is");
    await sees(
      page,
      "#log .heard",
      'unknown message type "shout"',
      "the answer names the type",
    );
    await fill(page, "Send something wrong", "{oops");
    await press(page, "Send as it is");
    await sees(page, "#log .said", "{oops", "the broken message went out");

    await say(page, "still here?");
    await sees(page, "#log .heard", "ana: still here?", "nobody was thrown out");
    const errors = (await lines(page, "heard")).filter((line) =>
      line.includes('"type":"error"'),
    );
    assert.equal(errors.length, 2, "each of the two wrong messages has its answer");
  });

  test("letters of every script make a name", async (t) => {
    const page = await lesson.open(t);

    await enter(page, "Zoë-Ωμέγα_7");
    await say(page, "hello");

    await sees(
      page,
      "#log .heard",
      "Zoë-Ωμέγα_7: hello",
      "the name came through the path",
    );
  });

  test("others see us come and leave", async (t) => {
    const ana = await lesson.open(t);
    const ben = await lesson.open(t);
    await enter(ana, "ana");
    await enter(ben, "ben");

    await sees(ana, "#log .heard", "ben joined.", "Ana sees Ben come");
    await press(ben, "Leave");
    await sees(ben, "#state", "Code 1000", "Ben left politely");
    await sees(ana, "#log .heard", "ben left.", "Ana sees Ben leave");
  });

  test("a name that is taken is refused with a reason that the page can show", async (t) => {
    const ana = await lesson.open(t);
    const ben = await lesson.open(t);
    await enter(ana, "ana");

    await fill(ben, "Your name", "ana");
    await press(ben, "Join");

    await sees(ben, "#state", "Code 4009, “", "the page has a code and a reason");
    await sees(ben, "#state", "this name already", "and says what it means");
    await enter(ben, "ben");
  });
});
