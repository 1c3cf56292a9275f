import assert from "node:assert/strict";
import { describe, test } from "node:test";

import {
  fill,
  isInView,
  lines,
  openWindow,
  overflow,
  press,
  sees,
  useBrowser,
} from "./browser.mjs";
import { findings } from "./everybody.mjs";
import { everyHeartbeat } from "./heartbeat.mjs";
import { LIMITS, answered, everyPage, serve } from "./lesson.mjs";
import { start } from "./server.mjs";
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

/** Puts the socket of the page where a test finds it. */
function keepSocket(page) {
  return page.addInitScript(() => {
    const Real = WebSocket;
    window.WebSocket = class extends Real {
      constructor(...all) {
        super(...all);
        window.socket = this;
      }
    };
  });
}

const draft = (page) => page.getByLabel("Say to news", { exact: true }).inputValue();
const row = (page, table, text) => page.locator(`#${table} tbody tr`, { hasText: text });
const gone = (locator) => locator.waitFor({ state: "detached" });
const remove = (page, table, text) =>
  row(page, table, text).getByRole("button", { name: `Delete ${text}`, exact: true }).click();

describe("lesson 16, channels", LIMITS, () => {
  useBrowser();
  const lesson = serve("lesson_16_channels");
  everyPage(lesson, { enter, login, path: "/api/v1/ws", reconnects: true, say });
  everyHeartbeat(lesson, '{"action":"ping"}');

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
    await sees(ana, "#posts small", "by Dora, owner: ben", "by whom it is, and whose row");
    await sees(ana, "#log .received", "posts: 1 created (Tea)", "the log says it, too");

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
    await sees(cem, "#log .problem", "Only its owner may change user", "Cem is not the owner");
    await isInView(cem, "#log .problem", "the log is below the tables");
    await remove(ben, "users", "Emil");
    await sees(ben, "#log .problem", "Other rows need user", "there is a post");

    await remove(ben, "posts", "Jam");
    await gone(row(ana, "posts", "Jam"));
    await remove(ben, "users", "Emil");
    await gone(row(ana, "users", "Emil"));
  });

  test("what is said to news reaches those who are subscribed to it", async (t) => {
    const [ana, ben] = await two(t);

    await sees(ben, "#log .notice", "subscribed: news", "Ben has asked for them");
    await say(ana, "Tea is ready.");
    await sees(ben, "#log .received", "Tea is ready.", "Ben is subscribed");
    await ben.getByLabel("news", { exact: true }).uncheck();
    await sees(ben, "#log .notice", "unsubscribed: news", "now he is not");
    await say(ana, "Tea is cold.");
    await sees(ana, "#log .received", "Tea is cold.", "Ana is");
    await press(ben, "Stats");
    await sees(ben, "#log .notice", "users 2, posts 2, news 1.", "only Ana has the news");

    const received = await lines(ben, "received");
    assert.ok(!received.some((line) => line.includes("cold")), `Ben got ${received}`);
  });

  test("what the server rejects comes back to the field, with the news or without", async (t) => {
    const page = await lesson.open(t);
    const long = "long ".repeat(500);
    await enter(page, "ana");
    await sees(page, "#log .notice", "subscribed: news", "Ana has asked for them");

    await say(page, "Tea is ready.");
    await say(page, long);
    await sees(page, "#log .problem", "characters", "the page says why");
    assert.equal(await draft(page), long, "nothing has to be typed again");

    await page.getByLabel("news", { exact: true }).uncheck();
    await sees(page, "#log .notice", "unsubscribed: news", "she does not hear herself now");
    await say(page, "Tea is cold.");
    await say(page, `${long}2`);
    await page.waitForFunction(() => document.querySelectorAll("#log .problem").length === 2);
    assert.equal(await draft(page), `${long}2`, "and not what was accepted before it");
  });

  test("what was said into a lost connection comes back, and what was accepted does not", async (t) => {
    const page = await lesson.open(t, { prepare: keepSocket });
    const close = () => page.evaluate(() => window.socket.close(4000));
    const comesBack = async (times) => {
      await page.waitForFunction(
        (times) =>
          document.querySelector("#state").value === "Connected as ana." &&
          [...document.querySelectorAll("#log .notice")].filter(({ textContent }) =>
            textContent.includes("Code 4000"),
          ).length === times,
        times,
      );
    };
    await enter(page, "ana");
    await sees(page, "#log .notice", "subscribed: news", "Ana has asked for them");
    await say(page, "one");
    await sees(page, "#log .received", "one", "it was accepted");
    await page.evaluate(() => {
      window.socket.send = () => {}; // As into a connection that is lost.
    });
    await say(page, "two");

    await close();
    await comesBack(1);
    assert.equal(await draft(page), "two", "it may be lost, and the first one is not");

    await page.getByLabel("news", { exact: true }).uncheck();
    await sees(page, "#log .notice", "unsubscribed: news", "she does not hear herself now");
    await press(page, "Send");
    await press(page, "Stats");
    await sees(page, "#log .notice", "Connections", "the server has read what came before");
    await close();
    await comesBack(2);
    assert.equal(await draft(page), "", "without the news, no answer is a good one");
  });

  test("without a user, the form for a post says what to do first", async (t) => {
    const empty = await start(lesson.name);
    const page = await openWindow(t, `${empty.url}/${lesson.page}`);
    t.after(() => empty.stop()); // After the window, which would connect again.
    await enter(page, "ana");
    const choices = page.locator("#add-post option");
    assert.deepEqual(await choices.allTextContents(), ["Add a user first"], "nobody is there");

    await addUser(page, "Kim");

    assert.deepEqual(await choices.allTextContents(), ["Kim"], "now somebody is");
  });

  test("one socket brings the events of all channels", async (t) => {
    const sockets = [];
    const page = await lesson.open(t, {
      prepare: (page) => page.on("websocket", (socket) => sockets.push(socket)),
    });
    await enter(page, "ana");

    await addUser(page, "Fay");
    await addPost(page, "Fay", "Figs");
    await say(page, "Figs are sweet.");

    await sees(page, "#log .received", "users", "the user's event");
    await sees(page, "#log .received", "posts", "the post's");
    await sees(page, "#log .received", "Figs are sweet.", "and the news");
    assert.equal(sockets.length, 1, "the page has one socket");
    await remove(page, "posts", "Figs");
    await gone(row(page, "posts", "Figs"));
    await remove(page, "users", "Fay");
    await gone(row(page, "users", "Fay"));
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

  test("a page whose socket is lost comes back with all its channels", async (t) => {
    const page = await lesson.open(t, {
      prepare: async (page) => {
        await keepSocket(page);
        // It waits for a second, so that one can see that it does.
        await page.addInitScript(() => (Math.random = () => 1));
      },
    });
    await enter(page, "ana");
    await sees(page, "#log .notice", "subscribed: news", "the page has asked for the news");

    await page.evaluate(() => window.socket.close(4000));

    await sees(page, "#state", "Code 4000", "the page says so");
    await sees(page, "#log .notice", "Code 4000", "the log keeps it");
    await sees(page, "#state", "Connected as ana.", "and comes back");
    await page.waitForFunction(
      () => document.querySelectorAll("#log .notice").length === 3,
    );
    const [first, , last] = await lines(page, "notice");
    for (const notice of [first, last]) assert.match(notice, /subscribed: news/, "both times");
    await addUser(page, "Gus");
    await addPost(page, "Gus", "Grapes");
    await sees(page, "#posts tr.changed td", "Grapes", "the posts are followed again, too");
  });

  test("the page can be read out, and fits into a narrow window", async (t) => {
    const page = await lesson.open(t, { viewport: { width: 360, height: 740 } });
    await enter(page, "ana");
    await addUser(page, "Wordwithoutend".repeat(3));

    assert.deepEqual(await findings(page), [], "a page for everybody");
    assert.equal(await overflow(page, "#users"), 0, "nobody should have to scroll sideways");
  });
});
