import assert from "node:assert/strict";
import { describe, test } from "node:test";

import {
  closePolitely,
  fill,
  hasFocus,
  openWindow,
  press,
  say,
  sees,
  useBrowser,
} from "./browser.mjs";
import { LIMITS, NO_SERVER, answered, everyPage, rejected, serve } from "./lesson.mjs";
import { startProxy } from "./proxy.mjs";
import { start } from "./server.mjs";
import { PASSWORDS, enter, login } from "./users.mjs";

const SUBPROTOCOL = "Send the token in a subprotocol, without a cookie";
const INVALID = "Sign in again: this token is not valid.";

/** The cookies of a window, but for the one of the wire view, which every page has. */
async function cookies(page) {
  const all = await page.context().cookies();
  return all.filter(({ name }) => name !== "xray");
}

describe("lesson 08, authentication", LIMITS, () => {
  useBrowser();
  const lesson = serve("lesson_08_auth");

  /** Starts a server of its own, and opens a window on it. */
  async function visit(t, { excused = [], ...options } = {}) {
    const first = await start(lesson.name);
    t.after(() => first.stop());
    const page = await openWindow(t, `${first.url}/${lesson.page}`, {
      excused: [NO_SERVER, ...excused],
      ...options,
    });
    return { first, page };
  }
  everyPage(lesson, { enter, login, path: "/ws/chat/quiet" });

  test("users chat under the name that their token proves", async (t) => {
    const ana = await lesson.open(t);
    const ben = await lesson.open(t);
    await enter(ana, "ana");
    await enter(ben, "ben");
    await sees(ana, "#log .notice", "ben joined.", "Ana sees Ben come");

    await say(ben, "hello");

    await sees(ana, "#log .received", "hello", "Ana hears Ben");
    await sees(
      ana,
      "#log .received small",
      "ben, ",
      "under the name that he signed in with",
    );
  });

  test("a button signs in without typing, and the other people still can type", async (t) => {
    const ana = await lesson.open(t);
    const ben = await lesson.open(t);

    await press(ana, "Be ana");
    await sees(ana, "#state", "Connected as ana.", "Ana is in");
    await press(ben, "Be ben");
    await sees(ben, "#state", "Connected as ben.", "and so is Ben");
    await press(ben, "Leave");
    await sees(ben, "#sign-in", "Be cem", "the form is the way back");
    await enter(ben, "cem");

    await sees(ana, "#log", "cem joined.", "the form is what it was");
  });

  test("at localhost the page says why nobody is signed in who is at 127.0.0.1", async (t) => {
    const ana = await lesson.open(t);
    await enter(ana, "ana");

    const page = await openWindow(t, null, { beside: ana });
    await page.goto(`http://localhost:${lesson.server.port}/${lesson.page}`);

    const sentence = "You are not signed in at localhost, whose cookies are not those of 127.0.0.1.";
    await sees(page, "#answer", sentence, "two hosts, two cookies");
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
    await page.getByLabel(SUBPROTOCOL).check();

    await enter(page, "cem");
    await say(page, "hello");

    await sees(page, "#log .sent", "hello", "Cem is in, under his name");
    assert.deepEqual(await cookies(page), [], "and there is no cookie");
  });

  test("no script can read the token's cookie", async (t) => {
    const page = await lesson.open(t);
    await enter(page, "ana");

    const found = await cookies(page);

    assert.equal(found.length, 1, "signing in sets one cookie");
    assert.equal(found[0].httpOnly, true, "which is for the browser alone");
    const seen = await page.evaluate(() => document.cookie);
    assert.doesNotMatch(seen, new RegExp(found[0].name), "so scripts do not see it");
  });

  test("without a token there is no way into a room", async (t) => {
    const page = await lesson.open(t, { excused: [rejected(401)] });

    const close = await closePolitely(page, "/ws/chat/rust");

    assert.equal(close.code, 1006, "the server rejects the upgrade");
  });

  test("capital letters and blanks in the name do not matter, and the name is the server's", async (t) => {
    const page = await lesson.open(t);
    await fill(page, "Name", " ANA ");
    await fill(page, "Password", PASSWORDS.ana);

    await press(page, "Sign in");
    await sees(page, "#state", "Connected as ana.", "this is how the server calls her");
    await say(page, "hello");

    await sees(page, "#log .sent", "hello", "and so she sees her message as her own");
  });

  test("a server that is restarted at once wants a new sign-in, and gets it", async (t) => {
    let restarted;
    const restart = new Promise((resolve) => (restarted = resolve));
    const { first, page } = await visit(t, {
      excused: [answered(401)],
      // The page asks at once. We let the new server be faster.
      prepare: (page) =>
        page.route("**/me", async (route) => {
          await restart;
          await route.continue();
        }),
    });
    await enter(page, "ana");

    await first.stop();
    const second = await start(lesson.name, first.port);
    t.after(() => second.stop());
    restarted();

    await sees(page, "#answer", INVALID, "the server's own sentence");
    assert.equal(await page.locator("#sign-in").isVisible(), true, "the form is there");
    assert.equal(await page.locator("#room > *").count(), 0, "and the old room is gone");
    await hasFocus(page, "password", "we can type at once");
    await enter(page, "ana");
    await say(page, "I am back.");
    await sees(page, "#log .sent", "I am back.", "the chat works");
  });

  test("without a server the page says so at each try, and finds the next one", async (t) => {
    const { first, page } = await visit(t, { excused: [rejected(401), answered(401)] });
    await enter(page, "ana");

    await first.stop();
    const sentence = "No server answers. Start it, and connect again.";
    await sees(page, "#state", sentence, "the page has asked");
    await press(page, "Connect again");
    await sees(page, "#state", sentence, "the same at the next try");
    assert.equal(await page.locator("#log").isVisible(), true, "what was said is still there");

    const second = await start(lesson.name, first.port);
    t.after(() => second.stop());
    await press(page, "Connect again");
    await sees(page, "#answer", INVALID, "a server is there, and does not know the token");
    await enter(page, "ana");
  });

  test("with a secret that stays the same, to connect again is enough", async (t) => {
    const secret = { JWT_SECRET: "a secret that only this test knows" };
    const first = await start(lesson.name, 0, secret);
    t.after(() => first.stop());
    const page = await openWindow(t, `${first.url}/${lesson.page}`, { excused: [NO_SERVER] });
    await enter(page, "ana");

    await first.stop();
    await sees(page, "#state", "No server answers.", "the page has asked");
    const second = await start(lesson.name, first.port, secret);
    t.after(() => second.stop());
    await press(page, "Connect again");

    await sees(page, "#state", "Connected as ana.", "the token is still valid");
  });

  test("a token in a subprotocol is asked about without a cookie", async (t) => {
    const { first, page } = await visit(t, { excused: [rejected(401), answered(401)] });
    await page.getByLabel(SUBPROTOCOL).check();
    await enter(page, "ana");

    await first.stop();
    await sees(page, "#state", "No server answers.", "the page has asked");
    const second = await start(lesson.name, first.port);
    t.after(() => second.stop());
    await press(page, "Connect again");

    await sees(page, "#answer", INVALID, "not that a token is missing: we sent one");
    await enter(page, "ana");
    assert.deepEqual(await cookies(page), [], "and there is still no cookie");
  });

  for (const way of ["a cookie", "a subprotocol"]) {
    test(`a lost connection is no reason to sign in again, with ${way}`, async (t) => {
      const proxy = await startProxy(lesson.server.port);
      const page = await openWindow(t, `${proxy.url}/${lesson.page}`);
      t.after(() => proxy.stop()); // After the window, which asks what has happened.
      if (way === "a subprotocol") await page.getByLabel(SUBPROTOCOL).check();
      await enter(page, "ben");

      proxy.drop();

      await sees(page, "#state", "The server answers: connect again.", "the page has asked");
      await press(page, "Connect again");
      await sees(page, "#state", "Connected as ben.", "and we are still signed in");
    });
  }

  test("two lessons side by side in one browser leave each other signed in", async (t) => {
    const other = await start("lesson_09_heartbeat");
    const [near, far] = [await startProxy(lesson.server.port), await startProxy(other.port)];
    const ana = await openWindow(t, `${near.url}/${lesson.page}`);
    const ben = await openWindow(t, `${far.url}/lesson_09.html`, { beside: ana });
    t.after(() => [other, near, far].forEach((server) => server.stop()));
    await enter(ana, "ana");
    await enter(ben, "ben");

    for (const [page, name, proxy] of [
      [ana, "ana", near],
      [ben, "ben", far],
    ]) {
      proxy.drop();
      await press(page, "Connect again");
      await sees(page, "#state", `Connected as ${name}.`, `${name} is still signed in`);
      await say(page, `I am ${name}.`);
      await sees(page, "#log .sent", `I am ${name}.`, `the server calls them ${name}, too`);
    }
    const found = (await cookies(ana)).map(({ name }) => name).sort();
    const names = ["lesson_08_auth_token", "lesson_09_heartbeat_token"];
    assert.deepEqual(found, names, "each lesson has a cookie of its own");
  });
});
