import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { closePolitely, fill, press, say, sees, useBrowser } from "./browser.mjs";
import { enter, login } from "./guests.mjs";
import { LIMITS, answered, everyPage, refused, serve } from "./lesson.mjs";

describe("lesson 08, authentication", LIMITS, () => {
  useBrowser();
  const lesson = serve("lesson_08_auth");
  everyPage(lesson, { enter, login, path: "/ws/chat/quiet" });

  test("those who sign in chat under the name that their token proves", async (t) => {
    const ana = await lesson.open(t);
    const ben = await lesson.open(t);
    await enter(ana, "ana");
    await enter(ben, "ben");
    await sees(ana, "#log .notice", "ben joined.", "Ana sees Ben come");

    await say(ben, "hello");

    await sees(ana, "#log .heard", "hello", "Ana hears Ben");
    await sees(
      ana,
      "#log .heard small",
      "ben, ",
      "under the name that he signed in with",
    );
  });

  test("a wrong password is told, and nobody gets in", async (t) => {
    const page = await lesson.open(t, { excused: [answered(401)] });
    await fill(page, "Name", "ana");
    await fill(page, "Password", "ana-likes-coffee");

    await press(page, "Sign in");
    await page.waitForResponse("**/login").catch(() => {}); // It may be here already.

    const answer = page.locator("#answer");
    await answer.filter({ hasNotText: "You are not signed in." }).waitFor();
    assert.match(
      await answer.textContent(),
      /\w+ \w+/,
      "the page shows the server's sentence",
    );
    assert.equal(await page.locator("#log").count(), 0, "and opens no room");
  });

  test("a token in a subprotocol opens the room without a cookie", async (t) => {
    const page = await lesson.open(t);
    await page.getByLabel("Carry the token in a subprotocol, without a cookie").check();

    await enter(page, "cem");
    await say(page, "hello");

    await sees(page, "#log .said", "hello", "Cem is in, under his name");
    assert.deepEqual(await page.context().cookies(), [], "and there is no cookie");
  });

  test("no script can read the token's cookie", async (t) => {
    const page = await lesson.open(t);
    await enter(page, "ana");

    const cookies = await page.context().cookies();

    assert.equal(cookies.length, 1, "signing in sets one cookie");
    assert.equal(cookies[0].httpOnly, true, "which is for the browser alone");
    assert.equal(
      await page.evaluate(() => document.cookie),
      "",
      "so scripts see nothing",
    );
  });

  test("without a token the room stays shut", async (t) => {
    const page = await lesson.open(t, { excused: [refused(401)] });

    const ending = await closePolitely(page, "/ws/chat/rust");

    assert.equal(ending.code, 1006, "the server refuses the upgrade");
  });
});
