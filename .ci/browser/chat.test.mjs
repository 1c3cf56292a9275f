// The chat room, against a server that sends whatever the test wants it to send. This is
// how we try what the lessons cannot show: the messages of the exercises, hostile names,
// an expired session.

import assert from "node:assert/strict";
import { describe, test } from "node:test";

import {
  fill,
  lines,
  openWindow,
  overflow,
  press,
  say,
  sees,
  useBrowser,
} from "./browser.mjs";
import { explain } from "../../static/close-codes.js";

const PAGES = new URL("../../static/", import.meta.url);
const HOST = "http://chat.test";
const HOSTILE = '<img src="x" onerror="document.title = 1">';
const LIMITS = { timeout: 240_000 };

const chat = (from, content) => ({
  type: "chat",
  room: "rust",
  from,
  content,
  timestamp: "2026-11-21T08:00:00Z",
});

/**
 * Opens `file` at a host that does not exist. `routes` gives the answers of paths which
 * are no files; `greet` is called with each socket that the page opens.
 */
async function open(t, file, { routes = {}, greet = () => {}, ...options } = {}) {
  const received = [];
  const sockets = [];
  const page = await openWindow(t, `${HOST}/${file}`, {
    ...options,
    async prepare(page) {
      await page.route(`${HOST}/**`, async (route) => {
        const { pathname } = new URL(route.request().url());
        const answer = routes[pathname];
        if (answer) return route.fulfill(answer);
        if (pathname === "/rooms") return route.fulfill({ json: [] });
        return route.fulfill({ path: new URL(`.${pathname}`, PAGES).pathname });
      });
      await page.routeWebSocket("**/ws/**", (socket) => {
        sockets.push(socket);
        socket.onMessage((text) => received.push(JSON.parse(text)));
        greet(socket);
      });
    },
  });

  return {
    page,
    sockets,
    received,
    send: (message) => sockets.at(-1).send(JSON.stringify(message)),
  };
}

async function join(t, options, file = "chat.html") {
  const room = await open(t, file, options);
  await fill(room.page, "Your name", "ana");
  await press(room.page, "Join");
  await sees(room.page, "#state", "Connected as ana.", "Ana joined");
  return room;
}

async function until(condition, why) {
  for (let tries = 0; tries < 100; tries += 1) {
    if (condition()) return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  assert.fail(why());
}

describe("the chat room", LIMITS, () => {
  useBrowser();

  test("a private message says from whom it is, and for whom", async (t) => {
    const { page, send } = await join(t);

    send({ ...chat("ben", "psst"), type: "private", to: "ana" });

    await sees(page, "#log .private", "psst", "Ben wrote to Ana alone");
    await sees(
      page,
      "#log .private small",
      "for ana alone",
      "a private message is marked as one",
    );
  });

  test("the list of people follows the server, and a click on a name begins a private message", async (t) => {
    const { page, send, received } = await join(t);

    assert.equal(
      await page.locator("#people").isVisible(),
      false,
      "no list before the server sends one",
    );

    send({ type: "online_users", users: ["ana", "ben"] });
    await sees(page, "#people", "ana (you)", "Ana is online");
    await press(page, "ben");
    await page.keyboard.type("psst");
    await page.keyboard.press("Enter");
    await until(
      () => received.some(({ type }) => type === "chat"),
      () => `a chat should come, but the server received ${JSON.stringify(received)}`,
    );
    assert.equal(
      received.find(({ type }) => type === "chat").content,
      "/pm ben psst",
      "the click and the words make a private message",
    );

    send({ type: "online_users", users: ["ana"] });
    await sees(page, "#people", "ana (you)", "Ana is still online");
    assert.equal(
      await page.locator("#people li").count(),
      1,
      "Ben is no longer in the list",
    );
  });

  test("the page shows who is typing, and stops when they stop, leave or speak", async (t) => {
    const { page, send } = await join(t);

    send({ type: "typing", username: "ben", is_typing: true });
    await sees(page, "#typists", "ben is typing …", "Ben types");
    send({ type: "typing", username: "cem", is_typing: true });
    await sees(page, "#typists", "ben and cem are typing …", "Cem types too");
    send({ type: "typing", username: "ben", is_typing: false });
    await sees(page, "#typists", "cem is typing …", "Ben stopped");
    send({ type: "user_left", username: "cem" });
    await sees(page, "#log .notice", "cem left.", "Cem left");
    assert.equal(
      await page.locator("#typists").textContent(),
      "",
      "who has left types no more",
    );
  });

  test("the chat page tells that we type, once a second at most", async (t) => {
    const { page, received } = await join(t);

    await page.getByLabel("Say").pressSequentially("hello there", { delay: 5 });
    await say(page, "hello");
    await until(
      () => received.some(({ type }) => type === "chat"),
      () => `a chat should come, but the server received ${JSON.stringify(received)}`,
    );

    assert.deepEqual(
      received.slice(0, 2).map(({ type }) => type),
      ["typing", "chat"],
      "eleven letters within a second are told once, and then comes the chat",
    );
  });

  test("lesson 07 never tells that we type: its server would answer with an error", async (t) => {
    const { page, received } = await join(t, {}, "lesson_07.html");

    await page.getByLabel("Say").pressSequentially("hello");
    await press(page, "Send");
    await until(
      () => received.length > 0,
      () => "a chat should come, but the server received nothing",
    );

    assert.deepEqual(
      received,
      [{ type: "chat", content: "hello" }],
      "the server of lesson 07 knows chat and ping alone",
    );
  });

  test("history comes before the news, and is not doubled by connecting again", async (t) => {
    const { page, send, sockets } = await join(t);
    const history = {
      type: "history",
      messages: [chat("ben", "one"), chat("ana", "two")],
    };

    send(history);
    send(chat("ben", "three"));
    await sees(page, "#log", "three", "Ben spoke after the history");
    assert.equal((await lines(page, "received")).length, 2, "Ben's two messages are there");
    assert.equal((await lines(page, "sent")).length, 1, "Ana's own old message is hers");

    await sockets.at(-1).close({ code: 1001, reason: "restarting" });
    await sees(page, "#state", "restarting", "the server went away, and said why");
    await press(page, "Connect again");
    await sees(page, "#state", "Connected as ana.", "Ana is back");
    send({ ...history, messages: [...history.messages, chat("ben", "three")] });
    await sees(page, "#log .notice", "before you came", "the history came again");
    assert.equal(
      (await lines(page, "received")).length,
      2,
      "each message is there once",
    );
  });

  test("the page asks for what it missed, if chats have numbers", async (t) => {
    const { page, send, sockets, received } = await join(t);
    const numbered = (seq) => ({ ...chat("ben", `number ${seq}`), seq });
    send(numbered(1));
    send(numbered(2));
    await sees(page, "#log", "number 2", "Ben spoke");
    assert.deepEqual(received, [], "there is nothing to ask for on the first day");

    await sockets.at(-1).close({ code: 1001, reason: "restarting" });
    await press(page, "Connect again");
    await until(
      () => received.length > 0,
      () => "the page should ask",
    );
    assert.deepEqual(received, [{ type: "resume", after: 2 }], "it has 1 and 2");
    send(numbered(4)); // Faster than the answer.
    send({ type: "resumed", complete: true, messages: [numbered(3), numbered(4)] });
    send(numbered(5));
    await sees(page, "#log", "number 5", "Ben spoke again");
    const numbers = async () =>
      (await lines(page, "received")).map((line) => Number(line.match(/\d+$/)[0]));
    assert.deepEqual(await numbers(), [1, 2, 3, 4, 5], "all of them once, in order");

    await sockets.at(-1).close({ code: 1001, reason: "restarting" });
    await press(page, "Connect again");
    await until(
      () => received.length > 1,
      () => "the page should ask again",
    );
    send({ type: "resumed", complete: false, messages: [numbered(1)] });
    await sees(page, "#log .notice", "messages are lost", "the server has begun anew");
    assert.deepEqual(await numbers(), [1], "what it has is all there is");
  });

  test("a page that has seen no number asks for nothing", async (t) => {
    const { page, send, sockets, received } = await join(t);
    send(chat("ben", "hello"));
    await sees(page, "#log", "hello", "Ben spoke");

    await sockets.at(-1).close({ code: 1001, reason: "restarting" });
    await press(page, "Connect again");
    await sees(page, "#state", "Connected as ana.", "Ana is back");
    await say(page, "hello");
    await until(
      () => received.some(({ type }) => type === "chat"),
      () => "a chat should come",
    );

    const asked = received.some(({ type }) => type === "resume");
    assert.equal(asked, false, "this server would not know what is meant");
  });

  test("an empty history draws nothing", async (t) => {
    const { page, send } = await join(t);

    send({ type: "history", messages: [] });
    send({ type: "user_joined", username: "ben" });
    await sees(page, "#log", "ben joined.", "Ben joined after the history");

    assert.deepEqual(await lines(page), ["ben joined."], "nothing to tell, nothing told");
  });

  test("hostile names, words and reasons are shown as the text they are", async (t) => {
    const { page, send, sockets } = await join(t);

    send({ type: "user_joined", username: HOSTILE });
    send(chat(HOSTILE, HOSTILE));
    send({ ...chat(HOSTILE, HOSTILE), type: "private", to: HOSTILE });
    send({ type: "online_users", users: [HOSTILE] });
    send({ type: "typing", username: HOSTILE, is_typing: true });
    send({ type: "history", messages: [chat(HOSTILE, HOSTILE)] });
    send({ type: "error", message: HOSTILE });
    send({ type: HOSTILE });
    await sees(page, "#people", HOSTILE, "a name in the list is text");
    await sees(page, "#typists", HOSTILE, "a name of somebody who types is text");
    await sees(page, "#log .received", HOSTILE, "a message is text");
    await sees(page, "#log .problem", HOSTILE, "an error is text");
    await sockets.at(-1).close({ code: 1008, reason: HOSTILE });
    await sees(page, "#state", HOSTILE, "the reason of a Close is text");

    assert.equal(
      await page.locator("img").count(),
      0,
      "no stranger puts an image on our page",
    );
    assert.equal(await page.title(), "Chat", "and no stranger's script runs");
  });

  test("hostile room names in the list of rooms are shown as text", async (t) => {
    const { page } = await open(t, "lesson_07.html", {
      routes: { "/rooms": { json: [{ room: HOSTILE, members: 1 }] } },
    });

    await sees(page, "#rooms", HOSTILE, "a room's name is text");
    assert.equal(
      await page.locator("img").count(),
      0,
      "no stranger puts an image on our page",
    );
  });

  test("words that are no JSON, and unknown types, are reported, not thrown", async (t) => {
    const { page, sockets, send } = await join(t);

    sockets.at(-1).send("{oops");
    await sees(
      page,
      "#log .problem",
      "This is not JSON: {oops",
      "a broken message is shown",
    );
    sockets.at(-1).send("null");
    send({ type: "shout" });
    await sees(
      page,
      "#log .problem",
      "does not know the type “shout”",
      "an unknown type is named",
    );
  });

  for (const [code, words] of [
    [1000, "Normal closure"],
    [1001, "Going away: the server is shutting down"],
    [1002, "Protocol error"],
    [1003, "Unsupported data"],
    [1007, "Invalid payload data"],
    [1008, "Policy violation"],
    [1009, "Message too big"],
    [1010, "Mandatory extension"],
    [1011, "Internal error"],
    [1012, "Service restart"],
    [1013, "Try again later"],
    [1014, "Bad gateway"],
    [3000, "Unauthorized"],
    [3003, "Forbidden"],
    [3008, "Timeout"],
    [4001, "Not authenticated"],
    [4008, "Too slow"],
    [4009, "this name already"],
    [4010, "no longer answered"],
    [4011, "nobody used"],
    [4012, "has not invited us"],
    [4013, "has removed us"],
    [4321, "does not know that code"],
  ]) {
    test(`close code ${code} is explained, with the server's reason`, async (t) => {
      const { page, sockets } = await join(t);

      await sockets.at(-1).close({ code, reason: "so it is" });

      await sees(page, "#state", words, `the page says what ${code} means`);
      await sees(
        page,
        "#state",
        `Code ${code}, “so it is”`,
        "and what the server gave as reason",
      );
      assert.ok(
        await page.getByRole("button", { name: "Connect again" }).isVisible(),
        "the page offers to connect again",
      );
    });
  }

  test("the two codes that only a browser gives are explained, too", () => {
    assert.match(explain({ code: 1005, reason: "" }), /No status received/);
    assert.match(explain({ code: 1006, reason: "" }), /Abnormal closure/);
  });

  test("an expired session leads back to the sign-in form, with the reason", async (t) => {
    const { page, sockets } = await open(t, "lesson_08.html", {
      routes: { "/login": { json: { token: "a.b.c", username: "ana", expires_in: 1 } } },
    });
    await fill(page, "Name", "ana");
    await fill(page, "Password", "ana-likes-tea");
    await press(page, "Sign in");
    await sees(page, "#state", "Connected as ana.", "Ana signed in");
    assert.equal(
      await page.locator("#sign-in").isVisible(),
      false,
      "no form while we chat",
    );

    await sockets.at(-1).close({ code: 4001, reason: "token expired" });

    await sees(page, "#answer", "token expired", "the page says why we are out");
    assert.ok(await page.locator("#sign-in").isVisible(), "and asks us to sign in again");
    assert.equal(await page.locator("#log").count(), 0, "nobody talks to a closed room");
  });

  test("however often one clicks, one signs in once", async (t) => {
    const { page, sockets } = await open(t, "lesson_08.html", {
      routes: { "/login": { json: { token: "a.b.c", username: "ana", expires_in: 1 } } },
    });
    await fill(page, "Name", "ana");
    await fill(page, "Password", "ana-likes-tea");

    await page.getByRole("button", { name: "Sign in" }).evaluate((button) => {
      button.click();
      button.click();
    });
    await sees(page, "#state", "Connected as ana.", "Ana signed in");
    await page.waitForTimeout(200);

    assert.equal(sockets.length, 1, "a second socket would find its own name taken");
  });

  test("when no server answers, the sign-in form says so", async (t) => {
    const { page } = await open(t, "lesson_08.html", { excused: [/ERR_FAILED/] });
    await page.route("**/login", (route) => route.abort());
    await fill(page, "Name", "ana");
    await fill(page, "Password", "ana-likes-tea");

    await press(page, "Sign in");

    await sees(page, "#answer", "No server answers.", "the page says so");
  });

  test("a room can be joined, used and left with the keyboard alone", async (t) => {
    const { page, received } = await open(t, "chat.html");

    await page.locator("input[name=username]:focus").waitFor(); // The page puts us there.
    await page.keyboard.type("ana");
    await page.keyboard.press("Enter");
    await sees(page, "#state", "Connected as ana.", "Enter joins");
    await page.keyboard.type("hello");
    await page.keyboard.press("Enter");
    await until(
      () => received.some(({ content }) => content === "hello"),
      () => `Enter should send, but the server received ${JSON.stringify(received)}`,
    );
    await page.keyboard.press("Tab"); // Send
    await page.keyboard.press("Tab"); // Leave
    await page.keyboard.press("Enter");
    await sees(page, "#state", "Code 1000", "Leave closes with 1000");
  });

  for (const colorScheme of ["light", "dark"]) {
    for (const width of [1200, 360]) {
      test(`a crowded room fits into ${width} pixels, ${colorScheme}`, async (t) => {
        const { page, send } = await join(t, {
          colorScheme,
          viewport: { width, height: 740 },
        });
        const name = (number) => `a-very-long-name-${number}`;

        send({
          type: "online_users",
          users: Array.from({ length: 30 }, (_, n) => name(n)),
        });
        send({ type: "typing", username: name(1), is_typing: true });
        send({ type: "typing", username: name(2), is_typing: true });
        send({
          ...chat(name(1), "wordwithoutend".repeat(30)),
          type: "private",
          to: "ana",
        });
        await sees(page, "#log .private", "wordwithoutend", "the private message came");

        assert.equal(await overflow(page), 0, "nobody should have to scroll sideways");
      });
    }
  }

  test("a long talk is cut at its old end, and a reader who scrolled back is left alone", async (t) => {
    const { page, send } = await join(t);
    const log = page.locator("#log");

    for (let line = 1; line <= 520; line += 1) send(chat("ben", `line ${line}`));
    await sees(page, "#log", "line 520", "all lines came");
    assert.equal(await page.locator("#log li").count(), 500, "the page keeps 500 lines");
    assert.ok(
      await log.evaluate(
        (log) => log.scrollTop + log.clientHeight >= log.scrollHeight - 2,
      ),
      "the newest line is in view",
    );

    await log.evaluate((log) => log.scrollTo(0, 1000));
    send(chat("ben", "news"));
    await sees(page, "#log", "news", "a new line came");
    assert.ok(
      await log.evaluate((log) => log.scrollTop < 2000),
      "the page does not tear away what we are reading",
    );
  });
});
