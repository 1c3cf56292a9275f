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
import { LIMITS, everyPage, rejected, serve } from "./lesson.mjs";
import { BAD_NAMES, GOOD_NAMES, longest } from "./names.mjs";

describe("lesson 07, rooms", LIMITS, () => {
  useBrowser();
  const lesson = serve("lesson_07_rooms");
  const enter = async (page, name, room = "rust") => {
    await fill(page, "Your name", name);
    await fill(page, "Room", room);
    await press(page, "Join");
    await sees(page, "#state", `Connected as ${name}.`, `${name} joins`);
  };
  everyPage(lesson, { enter, path: "/ws/chat/quiet/eve" });

  test("two windows join a room and talk, one closes, and the other sees it", async (t) => {
    const ana = await lesson.open(t);
    const ben = await lesson.open(t);
    await enter(ana, "ana");
    await enter(ben, "ben");
    await sees(ana, "#log .notice", "ben joined.", "Ana sees Ben come");

    await say(ana, "hello");
    await sees(ben, "#log .received", "hello", "Ben hears Ana");
    await sees(ben, "#log .received small", "ana, ", "and that it was she");
    await sees(ana, "#log .sent", "hello", "Ana's own words are hers");
    await say(ben, "hello, Ana");
    await sees(ana, "#log .received", "hello, Ana", "Ana hears Ben");

    await ben.close();
    await sees(ana, "#log .notice", "ben left.", "Ana sees that Ben closed his window");
  });

  test("whatever the keyboard sends, our own messages are ours", async (t) => {
    const page = await lesson.open(t);

    for (const name of GOOD_NAMES) {
      await type(page, "Your name", name);
      await type(page, "Room", name); // The same rule, but twice as long.
      await press(page, "Join");
      const state = `Connected as ${name.normalize()}.`;
      await sees(page, "#state", state, `${name} joins, in normal form C`);
      await say(page, `I am ${name}.`);
      await sees(page, "#log .sent", `I am ${name}.`, `${name} sees it as their own`);
      await press(page, "Leave");
      await sees(page, "#state", "Code 1000", `${name} leaves`);
    }
  });

  test("one name in two normal forms is one name", async (t) => {
    const ana = await lesson.open(t);
    const ben = await lesson.open(t);
    await type(ana, "Your name", "José".normalize("NFC"));
    await press(ana, "Join");
    await sees(ana, "#state", "Connected as José.", "one joins, in normal form C");

    await type(ben, "Your name", "José".normalize("NFD"));
    await press(ben, "Join");

    await sees(ben, "#state", "Code 4009, “", "the name is taken");
  });

  test("the page says what is wrong with the name of a room", async (t) => {
    const ana = await lesson.open(t);
    await enter(ana, "ana", "garden");
    const ben = await lesson.open(t);
    const rule = "1 to 40 letters of any script, digits, - and _";

    for (const name of BAD_NAMES) {
      await type(ben, "Room", name);
      assert.equal(await complaint(ben, "Room"), rule, `${JSON.stringify(name)} is bad`);
    }
    await type(ben, "Room", longest(40));
    assert.equal(await complaint(ben, "Room"), "", "this is as long as may be");
    await type(ben, "Room", longest(41));
    const sentence = "A name has at most 40 characters. This one has 41.";
    assert.equal(await complaint(ben, "Room"), sentence, "and this is longer");
    await press(ben, "Look again");
    await press(ben, "garden (1)");
    assert.equal(await complaint(ben, "Room"), "", "a room that exists has a good name");
  });

  test("a rejection is told apart from a server that is gone", async (t) => {
    const page = await lesson.open(t, { excused: [rejected(400)] });
    await page.evaluate(() => {
      for (const field of document.querySelectorAll("input")) {
        field.pattern = ".*"; // As if the page had forgotten the rule.
      }
    });

    await fill(page, "Your name", "two words");
    await press(page, "Join");

    await sees(page, "#state", "so it rejected us", "the server is there");
  });

  test("rooms do not see each other", async (t) => {
    const ana = await lesson.open(t);
    const ben = await lesson.open(t);
    await enter(ana, "ana", "rust");
    await enter(ben, "ben", "tea");

    await say(ana, "only for rust");
    await sees(ana, "#log .sent", "only for rust", "Ana's message went round her room");
    await say(ben, "only for tea");
    await sees(ben, "#log .sent", "only for tea", "Ben's message went round his");

    assert.deepEqual(
      await lines(ana, "received"),
      [],
      "Ana hears nothing of the other room",
    );
    assert.deepEqual(
      await lines(ben, "received"),
      [],
      "Ben hears nothing of the other room",
    );
  });

  test("a name that is taken shows its reason, and another name gets in", async (t) => {
    const ana = await lesson.open(t);
    const ben = await lesson.open(t);
    await enter(ana, "ana");

    await fill(ben, "Your name", "ana");
    await press(ben, "Join");

    await sees(ben, "#state", "Code 4009, “", "the page has a code and a reason");
    await sees(ben, "#state", "this name already", "and says what it means");
    await enter(ben, "ben");
  });

  test("open rooms are listed, and a click chooses one", async (t) => {
    const ana = await lesson.open(t);
    const ben = await lesson.open(t);
    await enter(ana, "ana", "garden");
    await say(ana, "hello");
    await sees(ana, "#log .sent", "hello", "Ana is in the garden");

    await press(ben, "Look again");
    await sees(ben, "#rooms", "garden (1)", "Ben sees the room and how many are in it");
    await press(ben, "garden (1)");

    assert.equal(
      await ben.getByLabel("Room", { exact: true }).inputValue(),
      "garden",
      "the click fills the field",
    );
    await press(ana, "Leave");
    await sees(ana, "#state", "Code 1000", "Ana left");
    for (let tries = 0; tries < 50; tries += 1) {
      await press(ben, "Look again");
      if (!(await ben.locator("#rooms").textContent()).includes("garden")) return;
      await ben.waitForTimeout(50);
    }
    assert.fail(
      "Ana was the last in the garden, so the room should vanish from the list",
    );
  });
});
