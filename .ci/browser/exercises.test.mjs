// The chat page with the learner's server and with the finished one: nothing is broken
// before the exercises are solved, and each feature shows when they are.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";

import { fill, lines, openWindow, press, say, sees, useBrowser } from "./browser.mjs";
import { LIMITS } from "./lesson.mjs";
import { start } from "./server.mjs";

/** Starts a server for the tests of `describe`. `join` opens a window in a room. */
function serve(name) {
  const chat = {
    async join(t, username, room = "rust") {
      const page = await openWindow(t, `${chat.server.url}/chat.html`);
      await fill(page, "Your name", username);
      await fill(page, "Room", room);
      await press(page, "Join");
      await sees(page, "#state", `Connected as ${username}.`, `${username} joins`);
      return page;
    },
  };
  before(async () => {
    chat.server = await start(name);
  });
  after(() => chat.server?.stop());
  return chat;
}

describe("the exercises, unsolved", LIMITS, () => {
  useBrowser();
  const chat = serve("exercises");

  test("the page is a whole chat, and shows no gap", async (t) => {
    const ana = await chat.join(t, "ana");
    const ben = await chat.join(t, "ben");
    await sees(ana, "#log .notice", "ben joined.", "Ana sees Ben come");

    await ben.getByLabel("Say").pressSequentially("hello");
    await press(ben, "Send");
    await sees(ana, "#log .received", "hello", "Ana hears Ben");

    assert.equal(await ana.locator("#people").isVisible(), false, "no empty list");
    assert.equal(await ana.locator("#typists").textContent(), "", "nobody types");
    assert.deepEqual(await lines(ana, "problem"), [], "and nothing is wrong");
  });
});

describe("the solutions", LIMITS, () => {
  useBrowser();
  const chat = serve("solutions");

  test("a click on a name and a few words make a private message", async (t) => {
    const ana = await chat.join(t, "ana", "whispers");
    const ben = await chat.join(t, "ben", "whispers");
    const cem = await chat.join(t, "cem", "whispers");
    await sees(ana, "#people", "cem", "all three are there");

    await press(ana, "ben");
    await ana.keyboard.type("psst");
    await ana.keyboard.press("Enter");
    await sees(ben, "#log .private", "psst", "Ben hears it");
    await sees(ana, "#log .private", "psst", "Ana sees her own words");

    await say(ana, "hello, all");
    await sees(cem, "#log .received", "hello, all", "Cem hears what comes after");
    assert.deepEqual(await lines(cem, "private"), [], "and no private message");
    await say(ana, "/pm zoe psst");
    await sees(ana, "#log .problem", "zoe", "there is no Zoe, and Ana is told");
  });

  test("typing shows, ends after a pause, and ends with a message", async (t) => {
    const ana = await chat.join(t, "ana", "typing");
    const ben = await chat.join(t, "ben", "typing");

    await ben.getByLabel("Say").pressSequentially("hel");
    await sees(ana, "#typists", "ben is typing", "Ben types");
    await ana.waitForFunction(() => !document.querySelector("#typists").textContent);

    await ben.getByLabel("Say").pressSequentially("lo");
    await sees(ana, "#typists", "ben is typing", "Ben types again");
    await press(ben, "Send");
    await sees(ana, "#log .received", "hello", "Ben speaks");
    assert.equal(await ana.locator("#typists").textContent(), "", "so he does not type");
  });

  test("the list follows a window that is closed", async (t) => {
    const ana = await chat.join(t, "ana", "coming-and-going");
    const ben = await chat.join(t, "ben", "coming-and-going");
    await sees(ana, "#people", "ben", "Ben is there");

    await ben.close();

    await sees(ana, "#log .notice", "ben left.", "Ana hears that Ben left");
    await ana.waitForFunction(
      () => document.querySelectorAll("#people li").length === 1,
    );
  });

  test("who comes back reads what was said, and nothing twice", async (t) => {
    const ana = await chat.join(t, "ana", "history");
    await say(ana, "one");
    await say(ana, "two");
    await sees(ana, "#log .sent", "two", "Ana has spoken");
    await press(ana, "Leave");
    await sees(ana, "#state", "Code 1000", "the room is empty");

    const ben = await chat.join(t, "ben", "history");

    await sees(ben, "#log .notice", "before you came", "Ben reads on");
    assert.equal((await lines(ben, "received")).length, 2, "what Ana said, once each");
  });

  test("whoever says too much is told when to try again", async (t) => {
    const ana = await chat.join(t, "ana", "too-much");
    const ben = await chat.join(t, "ben", "too-much");

    await ana.evaluate(() => {
      const form = document.querySelector("#say");
      for (let i = 1; i <= 60; i += 1) {
        form.elements.text.value = `message ${i}`;
        form.requestSubmit();
      }
    });

    await sees(ana, "#log .problem", "try again in 0.1 s", "Ana is told");
    await ana.waitForTimeout(1000);
    await say(ana, "Sorry!");
    await sees(ben, "#log .received", "Sorry!", "and a second later she is heard again");
    const heard = (await lines(ben, "received")).length;
    assert.ok(heard > 20 && heard < 60, `${heard} of 61 should be 20 and a few more`);
  });

  test("who connects again finds what was missed, once and in order", async (t) => {
    const ana = await chat.join(t, "ana", "tunnel");
    const ben = await chat.join(t, "ben", "tunnel");
    await say(ana, "one");
    await sees(ben, "#log .received", "one", "Ben is there");
    await press(ben, "Leave");
    await sees(ben, "#state", "Code 1000", "Ben is gone");
    await say(ana, "two");
    await say(ana, "three");
    await sees(ana, "#log .sent", "three", "Ana talks on");

    await press(ben, "Join");
    await sees(ben, "#log .received", "three", "Ben is back");
    await say(ana, "four");
    await sees(ben, "#log .received", "four", "and hears what comes next");

    const heard = await ben
      .locator("#log .received")
      .evaluateAll((all) => all.map((line) => line.lastChild.textContent));
    assert.deepEqual(heard, ["one", "two", "three", "four"], "nothing is missing or double");
    assert.deepEqual(await lines(ben, "problem"), [], "and nothing is wrong");
  });
});
