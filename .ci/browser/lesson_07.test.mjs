import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { fill, lines, press, say, sees, useBrowser } from "./browser.mjs";
import { LIMITS, everyPage, serve } from "./lesson.mjs";

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
    await sees(ben, "#log .heard", "hello", "Ben hears Ana");
    await sees(ben, "#log .heard small", "ana, ", "and that it was she");
    await sees(ana, "#log .said", "hello", "Ana's own words are hers");
    await say(ben, "hello, Ana");
    await sees(ana, "#log .heard", "hello, Ana", "Ana hears Ben");

    await ben.close();
    await sees(ana, "#log .notice", "ben left.", "Ana sees that Ben closed his window");
  });

  test("rooms do not hear each other", async (t) => {
    const ana = await lesson.open(t);
    const ben = await lesson.open(t);
    await enter(ana, "ana", "rust");
    await enter(ben, "ben", "tea");

    await say(ana, "only for rust");
    await sees(ana, "#log .said", "only for rust", "Ana's message went round her room");
    await say(ben, "only for tea");
    await sees(ben, "#log .said", "only for tea", "Ben's message went round his");

    assert.deepEqual(
      await lines(ana, "heard"),
      [],
      "Ana hears nothing of the other room",
    );
    assert.deepEqual(
      await lines(ben, "heard"),
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
    await sees(ana, "#log .said", "hello", "Ana is in the garden");

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
