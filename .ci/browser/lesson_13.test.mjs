import assert from "node:assert/strict";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { connect, createServer } from "node:net";
import { describe, test } from "node:test";

import { fill, openWindow, press, say, sees, useBrowser } from "./browser.mjs";
import { PASSWORDS, enter, login } from "./users.mjs";
import { LIMITS, NO_SERVER, answered, connected, everyPage, rejected, serve } from "./lesson.mjs";
import { start } from "./server.mjs";

describe("lesson 13, shutdown", LIMITS, () => {
  useBrowser();
  const lesson = serve("lesson_13_shutdown");
  everyPage(lesson, {
    enter,
    login,
    path: "/ws/chat/quiet",
    reconnects: true,
    keepsSecret: true,
  });

  /** Starts a server of its own, as a reader does, and opens a window of Ana's on it. */
  async function visit(t, { prepare, excused = [] } = {}) {
    const first = await start(lesson.name);
    t.after(() => first.stop());
    const page = await openWindow(t, `${first.url}/${lesson.page}`, {
      excused: [NO_SERVER, ...excused],
      prepare,
    });
    await enter(page, "ana");
    return { first, page };
  }

  /** Lets chance decide for the longest wait, or for one so long. */
  const chance = (value) => ({
    prepare: (page) =>
      page.addInitScript((value) => {
        Math.random = () => value;
      }, value),
  });

  for (const signal of ["SIGTERM", "SIGINT"]) {
    test(`after ${signal} the page knows why, and connects again by itself`, async (t) => {
      const { first, page } = await visit(t);

      assert.equal(await first.end(signal), 0, "the server ends in good order");
      await sees(page, "#log", "the server is shutting down", "the page says what it is");
      await sees(page, "#log", "Code 1001, “the server is stopping”", "and the code");
      const second = await start(lesson.name, first.port);
      t.after(() => second.stop());

      await connected(page);
      await say(page, "I am back.");
      await sees(page, "#log .sent", "I am back.", "the chat goes on");
      assert.equal(await page.locator("#countdown").isVisible(), false, "nothing to wait for");
    });
  }

  test("with another secret the page asks for the password, and tries no more", async (t) => {
    const { first, page } = await visit(t, { excused: [rejected(401), answered(401)] });
    let tries = 0;
    page.on("websocket", () => (tries += 1));

    await first.end("SIGINT");
    await sees(page, "#countdown", "We try", "the page tries by itself");
    const secret = { JWT_SECRET: "a secret that only this test knows" };
    const second = await start(lesson.name, first.port, secret);
    t.after(() => second.stop());

    const sentence = "Sign in again: this token is not valid.";
    await sees(page, "#answer", sentence, "the page asks for the password");
    assert.equal(await page.locator("#countdown").isVisible(), false, "and there is no countdown");
    const before = tries;
    await page.waitForTimeout(2_000);
    assert.equal(tries, before, "no further try with a token that cannot work");
    await enter(page, "ana");
    await say(page, "I am back.");
    await sees(page, "#log .sent", "I am back.", "the chat goes on");
  });

  test("one can read how long it is to the next try, and need not wait", async (t) => {
    const { first, page } = await visit(t, chance(1000)); // Waits of a quarter of an hour.

    // All that it says: each number is there for a second only.
    await page.evaluate(() => {
      const countdown = document.querySelector(".status:has(#state) #countdown");
      globalThis.said = [];
      const observer = new MutationObserver(() => globalThis.said.push(countdown.textContent));
      observer.observe(countdown, { childList: true, characterData: true, subtree: true });
    });
    const says = (words) =>
      page.waitForFunction((words) => globalThis.said.includes(words), words).catch(async () => {
        const said = await page.evaluate(() => globalThis.said);
        assert.fail(`beside the state it should say “${words}”, but it says ${said}`);
      });
    await first.end();
    await says("We try again in 1000 s.");
    await says("We try again in 999 s.");
    const second = await start(lesson.name, first.port);
    t.after(() => second.stop());
    await press(page, "Connect again");

    await connected(page);
  });

  test("whoever does not want to wait can stop the tries, and sign in again", async (t) => {
    const { first, page } = await visit(t, chance(1000));

    await first.end();
    await press(page, "Leave");

    assert.equal(await page.locator("#countdown").isVisible(), false, "no countdown");
    assert.equal(await page.locator("#sign-in").isVisible(), true, "but a form");
    const second = await start(lesson.name, first.port);
    t.after(() => second.stop());
    await enter(page, "ana");
  });

  test("a try that fails does not hide why the connection ended", async (t) => {
    const { first, page } = await visit(t, chance(0.5));

    await first.end();

    await sees(page, "#state", "No server answers.", "what there is to say about a try");
    await sees(page, "#log", "Code 1001", "the log still has the reason");
  });

  test("who stops a try that is under way is not connected by it", async (t) => {
    const { first, page } = await visit(t, chance(0.5));
    const second = await start(lesson.name);
    t.after(() => second.stop());

    // On the port of the first server, something accepts connections, and does not answer.
    const trying = page.waitForEvent("websocket");
    await first.end();
    const waiting = [];
    const proxy = createServer((socket) => waiting.push(socket)).listen(first.port);
    t.after(() => proxy.close());
    await once(proxy, "connection");
    await sees(page, "#countdown", "We try now.", "the try is under way");
    const closed = (await trying).waitForEvent("close");
    await press(page, "Leave");
    await sees(page, "#sign-in", "Name", "the form is there at once");
    await sees(page, "#state", "Code 1006", "and the try is over");

    for (const near of waiting) {
      const far = connect(second.port, "127.0.0.1");
      near.pipe(far).pipe(near);
    }
    await closed;

    await sees(page, "#state", "Code 1006", "the page is not connected");
    assert.equal(await page.locator("#sign-in").isVisible(), true, "the form is still there");
  });

  test("who leaves, or whose name is taken, is not connected again", async (t) => {
    const page = await lesson.open(t);
    await enter(page, "ana");
    await press(page, "Leave");
    await sees(page, "#state", "Code 1000", "Ana leaves");
    assert.equal(await page.locator("#countdown").isVisible(), false, "for good");

    const first = await lesson.open(t);
    await enter(first, "ben");
    const second = await lesson.open(t);
    await fill(second, "Name", "ben");
    await fill(second, "Password", PASSWORDS.ben);
    await press(second, "Sign in");
    await sees(second, "#state", "Code 4009", "Ben is here already");
    assert.equal(await second.locator("#countdown").isVisible(), false, "the same");
  });
});

describe("reconnect.js", () => {
  const source = readFileSync(
    new URL("../../static/reconnect.js", import.meta.url),
    "utf8",
  );
  const load = () => import(`data:text/javascript,${encodeURIComponent(source)}`);

  /** A client whose sockets we open and close, on a clock of ours. */
  async function client(t, random, options) {
    const { reconnect } = await load();
    t.mock.timers.enable({ apis: ["setTimeout", "Date"] });
    globalThis.WebSocket ??= { CONNECTING: 0 }; // Node has none of its own.
    const it = { connections: 0, waits: [], ends: 0 };
    const connect = () => {
      it.connections += 1;
      it.socket = new EventTarget();
      it.tries.follow(it.socket);
    };
    const onWait = (wait) => it.waits.push(wait);
    it.tries = reconnect({ connect, onWait, onGiveUp: () => (it.ends += 1), random, ...options });
    it.opens = () => it.socket.dispatchEvent(new Event("open"));
    it.closes = (code) =>
      it.socket.dispatchEvent(Object.assign(new Event("close"), { code }));
    it.passes = (milliseconds) => {
      for (let i = 0; i < milliseconds; i += 1) t.mock.timers.tick(1);
    };
    connect();
    return it;
  }

  test("each wait may be twice as long as the last, up to half a minute", async (t) => {
    const it = await client(t, () => 1);
    const waits = [];

    for (let i = 0; i < 7; i += 1) {
      it.waits.length = 0;
      it.closes(1006);
      waits.push(it.waits[0] / 1000);
      it.passes(it.waits[0]);
    }

    assert.deepEqual(waits, [1, 2, 4, 8, 16, 30, 30]);
    assert.equal(it.connections, 8, "the first connection, and a try after each wait");
  });

  test("a wait is anything from nothing to the longest", async (t) => {
    const chances = [0.25, 0.75, 0.5];
    const it = await client(t, () => chances.shift());
    const waits = [];

    for (let i = 0; i < 3; i += 1) {
      it.waits.length = 0;
      it.closes(1001);
      waits.push(it.waits[0]);
      it.passes(it.waits[0]);
    }

    assert.deepEqual(waits, [250, 1500, 2000]);
  });

  test("only a connection that lasts makes the next wait short again", async (t) => {
    const it = await client(t, () => 1);
    const wait = (open) => {
      it.opens();
      it.passes(open);
      it.waits.length = 0;
      it.closes(1001);
      it.passes(it.waits[0]);
      return it.waits[0];
    };

    assert.deepEqual([wait(0), wait(0), wait(9_999), wait(10_000)], [1000, 2000, 4000, 1000]);
  });

  test("the countdown goes from full second to full second", async (t) => {
    const it = await client(t, () => 0.6);
    it.closes(1006);
    it.passes(600);
    it.closes(1006);
    it.passes(1200);
    it.closes(1006);
    it.passes(2400);

    assert.deepEqual(it.waits, [600, 1200, 1000, 2400, 2000, 1000]);
  });

  for (const code of [1000, 1008, 4001, 4009, 4011]) {
    test(`after ${code} it gives up`, async (t) => {
      const it = await client(t, () => 1);

      it.closes(code);
      it.passes(60_000);

      assert.equal(it.connections, 1, "the next try would end like this one");
      assert.equal(it.ends, 1, "and the page is told so");
    });
  }

  for (const [code, taken] of [
    [1006, 4009],
    [1006, 1008],
    [4010, 4009],
    [4010, 1008],
  ]) {
    test(`after ${code}, ${taken} may be due to its own lost connection, for 45 seconds`, async (t) => {
      const it = await client(t, () => 1);
      it.opens();
      it.closes(code);
      const meetsIt = (seconds) => {
        it.passes(1000 * seconds);
        it.opens();
        it.closes(taken);
      };

      [1, 2, 4, 8, 16].forEach(meetsIt);
      assert.equal(it.ends, 0, "the server may not have noticed yet");
      meetsIt(30);
      assert.equal(it.ends, 1, "now it is somebody else");
    });
  }

  test("a page can say that no code is due to its own lost connection", async (t) => {
    const it = await client(t, () => 1, { taken: new Set() });
    it.opens();
    it.closes(1006);
    it.passes(1000);

    it.opens();
    it.closes(4009);

    assert.equal(it.ends, 1, "it is another window of the same person, and shall keep its place");
  });

  test("a network that is back makes the waits short again, and random as ever", async (t) => {
    const it = await client(t, () => 0.5);
    [500, 1000, 2000, 4000, 8000].forEach((wait) => {
      it.closes(1006);
      it.passes(wait);
    });
    it.closes(1006);
    assert.equal(it.waits.at(-1), 15_000, "by now it waits long");

    it.tries.restart();
    assert.equal(it.waits.at(-1), 500, "half of a second, by chance");
    it.passes(500);
    assert.equal(it.connections, 7, "the next try");
    it.closes(1006);
    assert.equal(it.waits.at(-1), 1000, "from here the waits grow as from the start");
  });

  test("without a wait there is nothing to make short", async (t) => {
    const it = await client(t, () => 1);
    it.tries.restart();
    it.opens();
    it.tries.restart();
    it.closes(1001);
    it.tries.stop();
    it.tries.restart();
    it.passes(60_000);

    assert.equal(it.connections, 1, "it is connecting, connected, or shall not be");
  });

  test("after stop there is no further try", async (t) => {
    const it = await client(t, () => 1);

    it.closes(1001);
    it.passes(500);
    it.tries.stop();
    it.passes(60_000);

    assert.equal(it.connections, 1);
  });

  test("after stop there is no try, even if the connection ends later", async (t) => {
    const it = await client(t, () => 1);

    it.opens();
    it.tries.stop();
    it.closes(1006);
    it.passes(60_000);

    assert.equal(it.connections, 1);
    assert.equal(it.ends, 0, "and nobody has to be told");
  });
});
