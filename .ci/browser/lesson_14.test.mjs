import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { isDeepStrictEqual } from "node:util";

import {
  TIMEOUT,
  fill,
  hasFocus,
  isInView,
  lines,
  overflow,
  press,
  sees,
  useBrowser,
} from "./browser.mjs";
import { findings } from "./everybody.mjs";
import { everyHeartbeat } from "./heartbeat.mjs";
import { LIMITS, answered, everyPage, rejected, serve } from "./lesson.mjs";
import { enter, login } from "./users.mjs";

/** Adds a user. */
async function add(page, name) {
  await fill(page, "New user", name);
  await fill(page, "E-mail", "somebody@example.org");
  await press(page, "Add");
  await sees(page, "#users td", name, `${name} is in the table`);
}

const row = (page, name) => page.locator("#users tbody tr", { hasText: name });
const gone = (locator) => locator.waitFor({ state: "detached" });

/** Presses a button in the row of somebody. */
async function pressFor(page, name, button) {
  await row(page, name).getByRole("button", { name: button }).click();
}

async function rename(page, from, to) {
  await pressFor(page, from, "Rename");
  await fill(page, "New name", to);
  await page.getByRole("dialog").getByRole("button", { name: "Rename" }).click();
}

/** What the page shows: a text for each row, and the version. */
const shown = async (page) => ({
  rows: await page
    .locator("#users tbody tr")
    .evaluateAll((rows) =>
      rows.map(({ cells: [who, active] }) => `${who.innerText}, ${active.innerText}`),
    ),
  version: await page.locator("#version").textContent(),
});

/** Waits until two windows show the same: an event reaches one of them first. */
async function showTheSame(ana, ben, why) {
  const deadline = Date.now() + TIMEOUT;
  let both;
  do both = [await shown(ana), await shown(ben)];
  while (!isDeepStrictEqual(...both) && Date.now() < deadline);
  assert.deepEqual(...both, why);
}

/** Lets a test end the connections of a page: no browser offers that for a WebSocket. */
const withSockets = (page) =>
  page.addInitScript(() => {
    const Real = WebSocket;
    window.sockets = [];
    window.WebSocket = class extends Real {
      constructor(...all) {
        super(...all);
        window.sockets.push(this);
      }
    };
  });

describe("lesson 14, a live list", LIMITS, () => {
  useBrowser();
  const lesson = serve("lesson_14_live_list");
  everyPage(lesson, {
    enter,
    login,
    path: "/api/v1/ws/users",
    reconnects: true,
    say: add,
  });
  everyHeartbeat(lesson, '{"action":"ping"}');

  /** Windows of Ana and Ben. */
  async function two(t) {
    const ana = await lesson.open(t);
    const ben = await lesson.open(t);
    await enter(ana, "ana");
    await enter(ben, "ben");
    return [ana, ben];
  }

  test("what one window changes, the other shows and marks", async (t) => {
    const [ana, ben] = await two(t);

    await add(ana, "Dora");
    await sees(ben, "#users tr.changed td", "Dora", "Ben sees her, and that she is new");
    await rename(ana, "Dora", "Theodora");
    await sees(ben, "#users tr.changed td", "Theodora", "Ben sees the new name");
    await pressFor(ben, "Theodora", "Deactivate");
    await sees(ana, "#users tr.changed td", "no", "Ana sees that she is not active");
    await showTheSame(ana, ben, "both have the same, and one version");
    await pressFor(ben, "Theodora", "Activate");
    await sees(ana, "#users tr.changed td", "yes", "and active again");

    await pressFor(ben, "Theodora", "Delete");
    await gone(row(ana, "Theodora"));
    await gone(row(ben, "Theodora"));
  });

  test("the version grows by one with each change, and the log says what came", async (t) => {
    const page = await lesson.open(t);
    await enter(page, "ana");
    const before = Number((await shown(page)).version);

    await add(page, "Emil");
    await pressFor(page, "Emil", "Delete");
    await gone(row(page, "Emil"));

    assert.equal((await shown(page)).version, `${before + 2}`, "two changes");
    await sees(page, "#log small", `version ${before + 1}, new`, "the first of them");
    await sees(page, "#log li", "deleted", "the second");
  });

  test("subscribe, then load: a change between the two is old, and nothing is missing", async (t) => {
    const [ana, ben] = await two(t);
    await fill(ana, "Seconds between the two", "5");
    await press(ana, "Begin again");
    await sees(ana, "#version", "none yet", "the list has not come");
    await ana.locator("#log li:last-child", { hasText: "We have subscribed." }).waitFor();

    await add(ben, "Fay");

    await sees(ana, "#log small", "it waits for the list", "the event is there first");
    await sees(ana, "#users td", "Fay", "the list has her");
    await sees(ana, "#log small", "old: the list has it already", "so the event is old");
    assert.equal(await row(ana, "Fay").count(), 1, "and she is there once");
    await showTheSame(ana, ben, "both windows show the same");
    await pressFor(ben, "Fay", "Delete");
    await gone(row(ana, "Fay"));
  });

  test("an event that is newer than the list is applied, though it came first", async (t) => {
    const ben = await lesson.open(t);
    await enter(ben, "ben");
    let answer;
    const ana = await lesson.open(t, {
      prepare: (page) =>
        page.route("**/api/v1/users", async (route) => {
          const response = await route.fetch();
          await new Promise((resolve) => (answer = resolve)); // It takes its time.
          await route.fulfill({ response });
        }),
    });
    await fill(ana, "Name", "ana");
    await fill(ana, "Password", "ana-likes-tea");
    await press(ana, "Sign in");
    while (!answer) await ana.waitForTimeout(20);

    await add(ben, "Gus");
    await sees(ana, "#log small", "it waits for the list", "the event is there first");
    answer();

    await sees(ana, "#users td", "Gus", "the list has no Gus, and the event has");
    await showTheSame(ana, ben, "both windows show the same");
    await ana.unroute("**/api/v1/users");
  });

  test("load, then subscribe: the page misses a change, and does not know", async (t) => {
    const [ana, ben] = await two(t);
    await ana.getByLabel("Order").selectOption("load");
    await fill(ana, "Seconds between the two", "5");
    const before = (await shown(ana)).version;
    await press(ana, "Begin again");
    await sees(ana, "#version", before, "the list has come");

    await add(ben, "Hana");

    await sees(ana, "#state", "Connected as ana.", "all looks well");
    assert.equal(await row(ana, "Hana").count(), 0, "but Hana is missing");
    assert.equal((await shown(ana)).version, before, "and the version is old");
    await ana.getByLabel("Order").selectOption("subscribe");
    await fill(ana, "Seconds between the two", "0");
    await press(ana, "Begin again");
    await sees(ana, "#users td", "Hana", "the right order shows her");
  });

  test("a page that was away loads the list again, and misses nothing", async (t) => {
    const ana = await lesson.open(t, {
      excused: [/ERR_INTERNET_DISCONNECTED/],
      prepare: withSockets,
    });
    const ben = await lesson.open(t);
    await enter(ana, "ana");
    await enter(ben, "ben");
    await add(ben, "Ida");
    await sees(ana, "#users td", "Ida", "Ana sees Ida");

    await ana.context().setOffline(true);
    await ana.evaluate(() => window.sockets.forEach((socket) => socket.close(4000)));
    await sees(ana, "#countdown", "It may be old. We connect again in", "the page says so");
    await sees(ana, "#state", "No server answers.", "and why");
    const state = await ana.locator("#state").textContent();
    assert.doesNotMatch(state, /connect again/, "there is no button for that");
    assert.equal(await row(ana, "Ida").count(), 1, "what was there is still shown");
    await pressFor(ben, "Ida", "Delete");
    await gone(row(ben, "Ida"));
    await add(ben, "Jon");
    await ana.context().setOffline(false);

    await sees(ana, "#state", "Connected as ana.", "she is back");
    await gone(row(ana, "Ida"));
    await sees(ana, "#users td", "Jon", "and sees who came meanwhile");
    await showTheSame(ana, ben, "both windows show the same");
  });

  test("when the token has expired, the page asks for the password", async (t) => {
    const excused = [answered(401), rejected(401)];
    const page = await lesson.open(t, { prepare: withSockets, excused });
    await enter(page, "ana");
    await add(page, "Olaf");
    await pressFor(page, "Olaf", "Rename");

    await page.context().clearCookies();
    await page.evaluate(() => window.sockets.forEach((socket) => socket.close(4000)));

    await sees(page, "#answer", "Sign in", "it says what to do");
    assert.equal(await page.locator("#live").isVisible(), false, "the table is not shown");
    assert.equal(await page.getByRole("dialog").count(), 0, "nor what lies above the page");
    await enter(page, "ana");
  });

  test("when the page does not connect again, the keyboard is on the way back", async (t) => {
    const page = await lesson.open(t, { prepare: withSockets });
    await enter(page, "ana");
    await fill(page, "New user", "Nina");

    // After a 1000, another try is not wanted.
    await page.evaluate(() => window.sockets.forEach((socket) => socket.close(1000)));

    await sees(page, "#countdown", "Begin again", "it says what to do");
    const isThere = () => document.activeElement.textContent === "Begin again";
    assert.ok(await page.evaluate(isThere), "the keyboard should be on “Begin again”");
    await page.keyboard.press("Enter");
    await sees(page, "#state", "Connected as ana.", "the table is live again");
  });

  test("a change that is not possible is told in the server's words", async (t) => {
    const [ana, ben] = await two(t);
    await ana.evaluate(() => {}); // Both have the table.
    await add(ben, "Kim");
    await sees(ana, "#users td", "Kim", "Ana sees Kim");
    const viewport = { width: 1280, height: 500 };
    const page = await lesson.open(t, { excused: [answered(404)], viewport });
    await enter(page, "cem");
    await pressFor(page, "Kim", "Rename");
    await pressFor(ben, "Kim", "Delete");
    await gone(row(page, "Kim"));

    await fill(page, "New name", "Kimberly");
    await page.getByRole("dialog").getByRole("button", { name: "Rename" }).click();

    await sees(page, "#rename .problem", "There is no user", "somebody was faster");
    assert.equal(await page.getByLabel("New name").inputValue(), "Kimberly", "it stays");
  });

  test("a change without a form is told where somebody sees it", async (t) => {
    const viewport = { width: 1280, height: 500 };
    const page = await lesson.open(t, { excused: [answered(404)], viewport });
    const ben = await lesson.open(t);
    await enter(ben, "ben");
    await add(ben, "Lou");
    await enter(page, "cem");
    await page.route("**/api/v1/users/*", async (route) => {
      await pressFor(ben, "Lou", "Delete");
      await gone(row(ben, "Lou"));
      await route.continue();
    });

    await pressFor(page, "Lou", "Deactivate");

    await sees(page, "#log .problem", "There is no user", "somebody was faster");
    await isInView(page, "#log .problem", "the table is long, and the log is below it");
  });

  test("a new name that is not accepted stays in its field, with the sentence", async (t) => {
    const page = await lesson.open(t, { excused: [/ERR_INTERNET_DISCONNECTED/] });
    await enter(page, "ana");
    await add(page, "Max");
    await pressFor(page, "Max", "Rename");
    await page.context().setOffline(true);
    await fill(page, "New name", "Maximilian");
    await page.keyboard.press("Tab");

    await page.keyboard.press("Enter");

    await sees(page, "#rename .problem", "No server answers.", "not in words of the browser");
    assert.equal(await page.getByLabel("New name").inputValue(), "Maximilian", "it stays");
    await hasFocus(page, "text", "the keyboard is there");
    await page.context().setOffline(false);
    await page.keyboard.press("Enter");
    await sees(page, "#users td", "Maximilian", "now it is accepted");
    await page.getByRole("dialog").waitFor({ state: "detached" });

    await pressFor(page, "Maximilian", "Rename");
    const words = await page.locator("#rename .problem").textContent();
    assert.equal(words, "", "the sentence was about the last try");
  });

  test("an answer that nobody waits for any more does not touch the form", async (t) => {
    const page = await lesson.open(t);
    await enter(page, "ana");
    await add(page, "Nora");
    let answer;
    await page.route("**/api/v1/users/*", async (route) => {
      const response = await route.fetch();
      await new Promise((resolve) => (answer = resolve));
      await route.fulfill({ response });
    });
    await rename(page, "Nora", "Eleonora");
    await sees(page, "#users td", "Eleonora", "the event is faster than the answer");
    await press(page, "Cancel");
    await pressFor(page, "Eleonora", "Rename");
    await fill(page, "New name", "half a na");

    const came = page.waitForResponse("**/api/v1/users/*");
    answer();
    await (await came).finished();
    await page.evaluate(() => new Promise(requestAnimationFrame)); // The page has seen it.

    assert.ok(await page.getByRole("dialog").isVisible(), "the form is still open");
  });

  test("a change that nobody answers is told in words for people", async (t) => {
    const page = await lesson.open(t, { excused: [/ERR_INTERNET_DISCONNECTED/] });
    await enter(page, "ana");

    await page.context().setOffline(true);
    await fill(page, "New user", "Leo");
    await fill(page, "E-mail", "leo@example.org");
    await press(page, "Add");

    await sees(page, "#log .problem", "No server answers.", "not in words of the browser");
    assert.equal(await page.getByLabel("New user").inputValue(), "Leo", "and Leo stays");
  });

  test("the keyboard stays where it is when others change a row", async (t) => {
    const [ana, ben] = await two(t);
    await add(ana, "Mia");
    await add(ana, "Noa");
    await sees(ben, "#users td", "Noa", "Ben sees both");
    await row(ben, "Noa").getByRole("button", { name: "Delete" }).focus();

    await rename(ana, "Mia", "Amelia");
    await sees(ben, "#users td", "Amelia", "Ben sees the new name");

    const focused = await ben.evaluate(() => document.activeElement.ariaLabel);
    assert.equal(focused, "Delete Noa", "and can go on where he was");
  });

  test("the page can be read out, and fits into a narrow window", async (t) => {
    const page = await lesson.open(t, { viewport: { width: 360, height: 740 } });
    await enter(page, "ana");
    await add(page, "Wordwithoutend".repeat(3));

    assert.deepEqual(await findings(page), [], "a page for everybody");
    assert.equal(await overflow(page, "#users"), 0, "nobody should have to scroll sideways");
    const buttons = await row(page, "Wordwithoutend").getByRole("button").all();
    for (const button of buttons) {
      assert.equal((await button.boundingBox()).height, 32, "no word on it is broken");
    }
  });

  test("begin again as often as you like: one connection is left", async (t) => {
    const page = await lesson.open(t, { prepare: withSockets });
    await enter(page, "ana");

    for (let i = 0; i < 5; i += 1) await press(page, "Begin again");

    await sees(page, "#state", "Connected as ana.", "it is connected");
    await page.waitForFunction(
      () => window.sockets.filter(({ readyState }) => readyState < 2).length === 1,
    );
    assert.deepEqual(await lines(page, "problem"), [], "and nothing went wrong");
  });
});
