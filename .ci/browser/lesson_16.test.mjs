import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { fill, lines, overflow, press, sees, serious, useBrowser } from "./browser.mjs";
import { LIMITS, answered, everyPage, serve } from "./lesson.mjs";
import { enter, login } from "./users.mjs";

async function say(page, text) {
  await fill(page, "Say to news", text);
  await press(page, "Send");
}

/** Adds a user, or a post by one. */
async function addUser(page, name) {
  await fill(page, "New user", name);
  await fill(page, "E-mail", `${name.toLowerCase()}@example.org`);
  await press(page, "Add user");
  await sees(page, "#users td", name, `${name} is in the table`);
}

async function addPost(page, by, title) {
  await page.locator("#add-post select").selectOption({ label: by });
  await fill(page, "Title", title);
  await fill(page, "Text", "I like it.");
  await press(page, "Add post");
}

const row = (page, table, text) => page.locator(`#${table} tbody tr`, { hasText: text });
const gone = (locator) => locator.waitFor({ state: "detached" });
const remove = (page, table, text) =>
  row(page, table, text).getByRole("button", { name: `Delete ${text}`, exact: true }).click();

describe("lesson 16, channels", LIMITS, () => {
  useBrowser();
  const lesson = serve("lesson_16_channels");
  everyPage(lesson, { enter, login, path: "/api/v1/ws", reconnects: true, say });

  /** Windows of Ana and Ben. */
  async function two(t, options) {
    const ana = await lesson.open(t, options);
    const ben = await lesson.open(t, options);
    await enter(ana, "ana");
    await enter(ben, "ben");
    return [ana, ben];
  }

  test("what one window changes, the other shows and marks", async (t) => {
    const [ana, ben] = await two(t);

    await addUser(ben, "Dora");
    await sees(ana, "#users tr.changed td", "Dora", "Ana sees her, and that she is new");
    await addPost(ben, "Dora", "Tea");
    await sees(ana, "#posts tr.changed td", "Tea", "and the post");

    await remove(ben, "posts", "Tea");
    await gone(row(ana, "posts", "Tea"));
    await remove(ben, "users", "Dora");
    await gone(row(ana, "users", "Dora"));
  });

  test("a user who has posts cannot be deleted, and only the owner may", async (t) => {
    const [ana, ben] = await two(t, { excused: [answered(409), answered(403)] });
    const cem = await lesson.open(t, { excused: [answered(403)] });
    await enter(cem, "cem");
    await addUser(ben, "Emil");
    await addPost(ben, "Emil", "Jam");
    await sees(cem, "#users td", "Emil", "Cem sees him");

    await remove(cem, "users", "Emil");
    await sees(cem, "#log .problem", "Only ben may change user", "Cem is not the owner");
    await remove(ben, "users", "Emil");
    await sees(ben, "#log .problem", "Other rows need user", "there is a post");

    await remove(ben, "posts", "Jam");
    await gone(row(ana, "posts", "Jam"));
    await remove(ben, "users", "Emil");
    await gone(row(ana, "users", "Emil"));
  });

  test("what is said to news reaches those who are subscribed to it", async (t) => {
    const [ana, ben] = await two(t);

    await say(ana, "Tea is ready.");
    await sees(ben, "#log .received", "Tea is ready.", "Ben is subscribed");
    await ben.getByLabel("news", { exact: true }).uncheck();
    await sees(ben, "#log .notice", "unsubscribed: news", "now he is not");
    await say(ana, "Tea is cold.");
    await sees(ana, "#log .received", "Tea is cold.", "Ana is");
    await press(ben, "Stats");
    await sees(ben, "#log .notice", "news 1.", "she alone: users, posts, and news");

    const received = await lines(ben, "received");
    assert.ok(!received.some((line) => line.includes("cold")), `Ben got ${received}`);
  });

  test("one socket brings the events of the channels that are checked", async (t) => {
    const [ana, ben] = await two(t);
    for (const channel of ["users", "posts"]) {
      await ana.getByLabel(channel, { exact: true }).check();
      await sees(ana, "#log .notice", `subscribed: ${channel}`, "the server says so");
    }

    await addUser(ben, "Fay");
    await addPost(ben, "Fay", "Figs");
    await sees(ana, "#log .received", "users", "the user's event");
    await sees(ana, "#log .received", "posts", "and the post's");

    await ana.getByLabel("posts", { exact: true }).uncheck();
    await sees(ana, "#log .notice", "unsubscribed: posts", "no more of these");
    await remove(ben, "posts", "Figs");
    await gone(row(ana, "posts", "Figs"));
    await remove(ben, "users", "Fay");
    await sees(ana, "#log .received", "deleted", "the user's event");
    const deleted = (await lines(ana, "received")).filter((line) => line.includes("deleted"));
    assert.equal(deleted.length, 1, `the user's alone: ${deleted}`);
  });

  test("an announcement reaches everybody, and comes from an operator alone", async (t) => {
    const [ana, ben] = await two(t, { excused: [answered(403)] });

    await fill(ben, "Announce to everybody", "All is free today!");
    await press(ben, "Announce");
    await sees(ben, "#log .problem", "Only operators", "Ben is none");
    await fill(ana, "Announce to everybody", "Down at noon.");
    await press(ana, "Announce");

    for (const page of [ana, ben])
      await sees(page, "#log .notice", "Announcement: Down at noon.", "everybody has it");
    const notices = (await lines(ben, "notice")).join("\n");
    assert.equal(notices.split("Down at noon.").length, 2, "and has it once");
    assert.ok(!notices.includes("free"), "what Ben wrote reached nobody");
  });

  test("a socket that is lost alone comes back with its channels", async (t) => {
    const page = await lesson.open(t, {
      prepare: (page) =>
        page.addInitScript(() => {
          const Real = WebSocket;
          window.sockets = [];
          window.WebSocket = class extends Real {
            constructor(...all) {
              super(...all);
              window.sockets.push(this);
            }
          };
        }),
    });
    await enter(page, "ana");
    await page.getByLabel("users", { exact: true }).check();
    await sees(page, "#log .notice", "subscribed: users", "one more");

    await page.evaluate(() => window.sockets.find(({ url }) => url.endsWith("/ws")).close(4000));

    await sees(page, "#log .notice", "Code 4000", "the page says so");
    await page.waitForFunction(
      () => document.querySelectorAll("#log .notice").length >= 7, // The greeting, and two.
    );
    const notices = (await lines(page, "notice")).slice(-2).map((line) => line.trim());
    assert.deepEqual(notices.sort(), ["subscribed: news", "subscribed: users"], "as before");
  });

  test("the page can be read out, and fits into a narrow window", async (t) => {
    const page = await lesson.open(t, { viewport: { width: 360, height: 740 } });
    await enter(page, "ana");
    await addUser(page, "Wordwithoutend".repeat(3));

    assert.deepEqual(await serious(page), [], "axe has nothing serious to say");
    assert.equal(await overflow(page, "#users"), 0, "nobody should have to scroll sideways");
  });
});
