import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { fill, openWindow, press, sees, useBrowser } from "./browser.mjs";
import { LIMITS, everyPage, serve } from "./lesson.mjs";
import { start } from "./server.mjs";
import { enter, login } from "./users.mjs";

describe("lesson 12, slow clients", LIMITS, () => {
  useBrowser();
  const lesson = serve("lesson_12_slow_clients");
  everyPage(lesson, { enter, login, path: "/ws/chat/quiet" });

  /** Runs the experiment on a server with this policy, and returns what Ben received. */
  async function benReceives(t, policy, seconds) {
    // Without X-ray, which takes its time for each message: Ana has to be ready before Ben is.
    const env = { SLOW_CLIENT: policy, ADDR: "0.0.0.0:0" };
    const server = await start(lesson.name, 0, env);
    t.after(() => server.stop());
    const page = await openWindow(t, `${server.url}/${lesson.page}`);
    await fill(page, "Ben is busy for so many seconds", `${seconds}`);

    await press(page, "Start");

    const button = page.getByRole("button", { name: "Start", exact: true });
    await button.and(page.locator(":disabled")).waitFor();
    await button.and(page.locator(":enabled")).waitFor({ timeout: 60_000 });
    await sees(page, "#progress", "2000 messages", "Ana has received all of hers");
    return page.locator("#ben li").allTextContents();
  }

  test("who is never busy receives everything", async (t) => {
    assert.deepEqual(await benReceives(t, "close", 0), ["Received: 1 to 2000"]);
  });

  test("close: the slow client has lost its connection, with 4008", async (t) => {
    // Where Ana is slow, too, the outbox may not be full in time. Then it is the write that
    // takes too long, after ten seconds.
    const [beginning, end, ...more] = await benReceives(t, "close", 17);

    assert.match(beginning, /^Received: 1 to \d+$/, "what was sent before");
    assert.match(end, /Code 4008, “too slow”/, "and then the Close");
    assert.deepEqual(more, [], "and nothing else");
  });

  test("drop: the newest messages are there, and nobody says that others are not", async (t) => {
    const [beginning, gap, end, ...more] = await benReceives(t, "drop", 8);

    assert.match(beginning, /^Received: 1 to \d+$/, "what was in the connection");
    assert.match(gap, /^Not received: .*\(\d+ messages\)$/, "the numbers show it");
    assert.match(end, / to 2000$/, "an outbox full of the newest");
    assert.deepEqual(more, [], "and nothing else");
  });

  test("notify: the server says how many are missing, and it is right", async (t) => {
    const [, missed, gap, end, ...more] = await benReceives(t, "notify", 8);

    const [said] = /\d+/.exec(missed);
    assert.ok(gap.includes(`(${said} messages)`), `${missed} But: ${gap}`);
    assert.match(end, / to 2000$/, "an outbox full of the newest");
    assert.deepEqual(more, [], "and nothing else");
  });

  test("notify: who reads nothing at all is disconnected nevertheless", async (t) => {
    const received = await benReceives(t, "notify", 17);

    assert.match(received.at(-1), /Code 4008, “too slow”/, "ten seconds for each write");
  });

  test("in the chat, a page says how much it has missed", async (t) => {
    const page = await lesson.open(t, {
      prepare: (page) =>
        page.routeWebSocket("**/ws/chat/**", (socket) => {
          socket.send(JSON.stringify({ type: "missed", count: 12 }));
        }),
    });

    await enter(page, "ana");

    await sees(page, "#log .problem", "missed 12 messages", "in words for people");
  });
});
