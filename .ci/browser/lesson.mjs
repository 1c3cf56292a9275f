// What every lesson's tests have in common: a server, and what holds on every page.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import {
  capitalized,
  closePolitely,
  lonely,
  openWindow,
  overflow,
  say as saysInChat,
  sees,
} from "./browser.mjs";
import { findings } from "./everybody.mjs";
import { start } from "./server.mjs";

const HOSTILE = '<img src="x" onerror="document.title = 1">';
export const LIMITS = { timeout: 480_000 };

/** What the browser itself logs to the console when a server rejects an upgrade. */
export const rejected = (status) =>
  status === 401
    ? /HTTP Authentication failed/
    : new RegExp(`Unexpected response code: ${status}`);

/** What it logs when `fetch` gets a status of an error. */
export const answered = (status) =>
  new RegExp(`the server responded with a status of ${status}`);

/** What it logs when no server answers. */
export const NO_SERVER = /ERR_CONNECTION_(REFUSED|RESET)|ERR_SOCKET_NOT_CONNECTED/;

/** Starts the server of a lesson for the tests of `describe`, and stops it afterwards. */
export function serve(name) {
  const lesson = {
    name,
    page: `${name.slice(0, "lesson_00".length)}.html`,
    /** Opens a window on the lesson's page. */
    open: (t, options) => openWindow(t, `${lesson.server.url}/${lesson.page}`, options),
  };
  before(async () => {
    lesson.server = await start(name);
  });
  after(() => lesson.server?.stop());
  return lesson;
}

/**
 * What must hold on every lesson's page. `enter` brings a window into the conversation.
 * `login` is for lessons with sign-in: it gets the cookie. `reconnects` means that the page
 * connects again by itself, and `keepsSecret` that the next server knows the tokens of the
 * first. `say` puts a text on the page, if there is no chat to say it in.
 */
export function everyPage(lesson, options) {
  const { enter, path, login, reconnects = false, keepsSecret = false } = options;
  const { say = saysInChat } = options;
  const signsInAgain = login && !keepsSecret;

  test("the landing page names the lesson and leads to its page", async (t) => {
    const page = await openWindow(t, lesson.server.url);

    await sees(page, "code", lesson.name, "the landing page names the package");
    await page.locator("a.button").click();

    await page.waitForURL(`**/${lesson.page}`);
    assert.match(await page.title(), /^Lesson \d\d: /, "we are on the lesson's page");
  });

  // Width and colour have nothing to do with each other, so two windows show both.
  for (const [width, colorScheme] of [
    [1200, "light"],
    [360, "dark"],
  ]) {
    test(`the page fits into ${width} pixels, and is ${colorScheme} if asked`, async (t) => {
      const viewport = { width, height: 740 };
      const page = await lesson.open(t, { colorScheme, viewport });
      const isPhone = width < 400;
      if (isPhone) {
        assert.deepEqual(await lonely(page), [], "no button wraps alone");
        assert.deepEqual(await findings(page), [], "a form for everybody");
      }
      await enter(page, "ana");
      await say(page, "wordwithoutend".repeat(30));
      await sees(page, "#log", "wordwithoutend", "the long word is in the log");

      assert.equal(await overflow(page), 0, "nobody should have to scroll sideways");
      assert.deepEqual(await findings(page), [], "a page for everybody");
      const brightness = await page.evaluate(() => {
        const { backgroundColor } = getComputedStyle(document.body);
        return Math.max(...backgroundColor.match(/\d+/g).slice(0, 3).map(Number));
      });
      assert.equal(brightness > 128, colorScheme === "light", `is it ${colorScheme}?`);
      if (!isPhone) return;

      // A phone begins sentences with a capital letter. People write them in these, or names
      // such as Ana Maria.
      const words = ["text", "name", "title", "body"];
      const others = (await capitalized(page)).filter((name) => !words.includes(name));
      assert.deepEqual(others, [], 'a name needs autocapitalize="none"');
      for (const width of [360, 390]) {
        await page.setViewportSize({ ...viewport, width });
        assert.deepEqual(await lonely(page), [], `no button wraps alone at ${width} pixels`);
        assert.equal(await overflow(page), 0, `the page fits into ${width} pixels`);
      }
    });
  }

  test("markup in a message is shown as the text it is", async (t) => {
    const page = await lesson.open(t);
    await enter(page, "ana");

    await say(page, HOSTILE);

    // In JSON, which lesson 06 shows, the quotation marks stand behind backslashes.
    await sees(page, "#log", "<img src=", "the message appears as text");
    assert.equal(
      await page.locator("img").count(),
      0,
      "a message puts no image on the page",
    );
    assert.doesNotMatch(await page.title(), /^1$/, "and no script of a stranger runs");
  });

  test("the link that skips the bar leads into the page, and leaves its address alone", async (t) => {
    const page = await openWindow(t, `${lesson.server.url}/${lesson.page}#room=tea`);
    const address = page.url();

    await page.locator(".skip").focus();
    await page.keyboard.press("Enter");

    const isInMain = () => document.activeElement.closest("main") !== null;
    assert.ok(await page.evaluate(isInMain), "the keyboard should be in the page");
    assert.equal(page.url(), address, "the address still says which room it is");
  });

  test("a connection that ends leaves the keyboard in the drawer", async (t) => {
    const server = await start(lesson.name);
    t.after(() => server.stop());
    const page = await openWindow(t, `${server.url}/${lesson.page}`, { excused: [NO_SERVER] });
    await enter(page, "ana");
    await page.getByRole("button", { name: "Wire", exact: true }).click();
    const where = () => document.activeElement.id;
    // It needs the server for its script, and X-ray for the upgrade.
    await page.locator("wire-view .request").first().waitFor();
    assert.equal(await page.evaluate(where), "wire", "the drawer is open");

    await server.stop();
    await sees(page, "#state", "No server answers.", "the connection is lost");

    assert.equal(await page.evaluate(where), "wire", "whoever reads there goes on reading");
  });

  test("a socket that is closed politely ends cleanly, with 1000", async (t) => {
    const page = await lesson.open(t);
    await login?.(page);

    const close = await closePolitely(page, path);

    assert.deepEqual(close, { code: 1000, wasClean: true }, "the handshake was complete");
  });

  test("when the server dies the page says so, and works with the next one", async (t) => {
    const first = await start(lesson.name);
    t.after(() => first.stop());
    const page = await openWindow(t, `${first.url}/${lesson.page}`, {
      excused: signsInAgain ? [NO_SERVER, rejected(401), answered(401)] : [NO_SERVER],
    });
    await enter(page, "ana");
    const dot = () => {
      const { borderTopColor } = getComputedStyle(document.querySelector("#state"), "::before");
      return borderTopColor;
    };
    const open = await page.evaluate(dot);

    await first.stop();
    await sees(page, "#state", "Code 1006", "a lost connection is a 1006");
    await sees(page, "#state", "No server answers.", "the page has asked over HTTP");
    assert.notEqual(await page.evaluate(dot), open, "the dot is green only while it is open");

    if (!reconnects) {
      const isThere = () => document.activeElement.matches("main button");
      await page.waitForFunction(isThere).catch(() => {
        assert.fail("the keyboard should be on the button that leads back");
      });
    }

    const second = await start(lesson.name, first.port);
    t.after(() => second.stop());
    const again = page.getByRole("button", { name: "Connect again", exact: true });
    const hasButton = !reconnects && (await again.count()) > 0;
    if (hasButton) await again.click();
    if (signsInAgain)
      await sees(page, "#answer", "Sign in again: this token is not valid.", "it says why");
    if (signsInAgain || !(hasButton || reconnects)) await enter(page, "ana");
    await sees(page, "#state", "Connected", "the page is connected again");
    await say(page, "still here?");
    await sees(page, "#log", "still here?", "and works");
  });
}

export const connected = (page) => sees(page, "#state", "Connected", "the page connects");
