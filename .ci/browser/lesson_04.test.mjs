import assert from "node:assert/strict";
import { exec } from "node:child_process";
import { describe, test } from "node:test";
import { promisify } from "node:util";

import { TIMEOUT, fill, press, say, sees, useBrowser } from "./browser.mjs";
import { LIMITS, connected, everyPage, rejected, serve } from "./lesson.mjs";

const shell = promisify(exec);

describe("lesson 04, path parameters", LIMITS, () => {
  useBrowser();
  const lesson = serve("lesson_04_path_params");
  const enter = async (page, id = "7") => {
    await fill(page, "Client id", id === "ana" ? "7" : id);
    await press(page, "Connect");
    await connected(page);
  };
  everyPage(lesson, { enter, path: "/ws/12" });

  test("two numbers can talk", async (t) => {
    const ana = await lesson.open(t);
    const ben = await lesson.open(t);
    await enter(ana, "7");
    await sees(ana, "#log .received", "You are client 7.", "the server greets Ana");
    await enter(ben, "8");

    await sees(ana, "#log .received", "Client 8 joined.", "Ana sees Ben come");
    await say(ben, "hi");
    await sees(ana, "#log .received", "Client 8: hi", "Ana hears Ben under his number");
    await press(ben, "Leave");
    await sees(ben, "#state", "Code 1000", "Ben left politely");
    await sees(ana, "#log .received", "Client 8 left.", "Ana sees Ben leave");
  });

  test("what is no number is rejected, and the command on the page shows why", async (t) => {
    const page = await lesson.open(t, { excused: [rejected(400)] });
    await fill(page, "Client id", "abc");

    await press(page, "Connect");

    await sees(page, "#state", "so it rejected us", "the server is there, so that is left");
    await page.locator("main summary").click();
    const command = await page.locator("#ask").textContent();
    const here = command.replace("127.0.0.1:8000", new URL(lesson.server.url).host);
    const { stdout } = await shell(here, { timeout: TIMEOUT });
    assert.match(stdout, /^HTTP\/1.1 400 /, "the status is there");
    assert.match(stdout, /client id/i, "and a sentence that says what was wrong");
  });

  test("a number in use is rejected, and free again when its owner has left", async (t) => {
    const ana = await lesson.open(t);
    const ben = await lesson.open(t, { excused: [rejected(409)] });
    await enter(ana, "9");

    await fill(ben, "Client id", "9");
    await press(ben, "Connect");
    await sees(ben, "#state", "Code 1006", "Ben cannot have Ana's number");

    await press(ana, "Leave");
    await sees(ana, "#state", "Code 1000", "Ana left");
    await enter(ben, "9");
  });
});
