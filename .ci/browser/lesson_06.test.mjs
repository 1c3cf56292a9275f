import assert from "node:assert/strict";
import { describe, test } from "node:test";

import {
  complaint,
  fill,
  lines,
  press,
  say,
  sees,
  type,
  useBrowser,
} from "./browser.mjs";
import { LIMITS, connected, everyPage, serve } from "./lesson.mjs";
import { BAD_NAMES, GOOD_NAMES, longest } from "./names.mjs";

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

    await sees(page, "#log .sent", '{"type":"chat","content":"hello"}', "what we sent");
    await sees(page, "#log .received", "ana: hello", "our own chat, in words");
    await sees(page, "#log .received small", '"content":"hello"', "and as it came");
    await sees(page, "#log .received", "Pong!", "the answer to our ping");
  });

  test("something wrong is answered, and the conversation goes on", async (t) => {
    const page = await lesson.open(t);
    await enter(page, "ana");

    await press(page, "Send as it is");
    await sees(
      page,
      "#log .received",
      "unknown variant `shout`",
      "the answer names the type",
    );
    await fill(page, "Send something wrong", "{oops");
    await press(page, "Send as it is");
    await sees(page, "#log .sent", "{oops", "the broken message went out");

    await say(page, "still here?");
    await sees(page, "#log .received", "ana: still here?", "nobody was thrown out");
    const errors = (await lines(page, "received")).filter((line) =>
      line.includes('"type":"error"'),
    );
    assert.equal(errors.length, 2, "each of the two wrong messages has its answer");
  });

  test("what the server refuses comes back to the field", async (t) => {
    const page = await lesson.open(t);
    await enter(page, "ana");
    await say(page, "hello");
    await sees(page, "#log .received", "ana: hello", "this was accepted");
    const long = "a".repeat(2001);

    await say(page, long);

    await sees(page, "#log .received", "2001 characters", "the server says why");
    assert.equal(await page.getByLabel("Say").inputValue(), long, "we need not type it again");
  });

  test("letters of every script make a name, and it is sent in normal form C", async (t) => {
    const page = await lesson.open(t);

    for (const name of [...GOOD_NAMES, longest(20)]) {
      await type(page, "Your name", name);
      await press(page, "Join");
      await sees(page, "#state", "Connected.", `${name} is let in`);
      await say(page, "hello");
      const chat = `${name.normalize()}: hello`;
      await sees(page, "#log .received", chat, "the server has the name as it was meant");
      await press(page, "Leave");
      await sees(page, "#state", "Code 1000", `${name} leaves`);
    }
  });

  test("the page says what is wrong with a name, and does not ask the server", async (t) => {
    const page = await lesson.open(t);
    const rule = "1 to 20 letters of any script, digits, - and _";

    for (const name of BAD_NAMES) {
      await type(page, "Your name", name);
      assert.equal(await complaint(page, "Your name"), rule, `${JSON.stringify(name)} is bad`);
    }
    await type(page, "Your name", longest(21));
    assert.equal(
      await complaint(page, "Your name"),
      "A name has at most 20 characters. This one has 21.",
      "characters count, however many units of UTF-16 they have",
    );
    await press(page, "Join");
    await sees(page, "#state", "Not connected yet.", "the browser keeps us from joining");
    await type(page, "Your name", longest(20));
    assert.equal(await complaint(page, "Your name"), "", "now it is short enough");
  });

  test("others see us come and leave", async (t) => {
    const ana = await lesson.open(t);
    const ben = await lesson.open(t);
    await enter(ana, "ana");
    await enter(ben, "ben");

    await sees(ana, "#log .received", "ben joined.", "Ana sees Ben come");
    await press(ben, "Leave");
    await sees(ben, "#state", "Code 1000", "Ben left politely");
    await sees(ana, "#log .received", "ben left.", "Ana sees Ben leave");
  });

  test("a name that is taken gets a Close with a reason that the page can show", async (t) => {
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
