// The chat room, against a server that sends whatever the test wants it to send. This is
// how we try what the lessons cannot show: the messages of the exercises, hostile names,
// an expired session.

import assert from "node:assert/strict";
import { describe, test } from "node:test";

import {
  fill,
  hasFocus,
  lines,
  openWindow,
  overflow,
  press,
  say,
  sees,
  useBrowser,
} from "./browser.mjs";
import { findings } from "./everybody.mjs";
import { explain } from "../../static/close-codes.js";

const PAGES = new URL("../../static/", import.meta.url);
const HOST = "http://chat.test";
const HOSTILE = '<img src="x" onerror="document.title = 1">';
const LIMITS = { timeout: 480_000 };

const chat = (from, content) => ({
  type: "chat",
  room: "rust",
  from,
  content,
  timestamp: "2026-11-21T08:00:00Z",
});

/**
 * Opens `file` at a host that does not exist. `routes` gives the answers of paths which
 * are no files; `greet` is called with each socket that the page opens, which is open when
 * what it returns is fulfilled.
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
        return greet(socket);
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

/** Waits until the keyboard presses the button of this name. */
async function hasKeyboard(page, name) {
  const isThere = (name) => document.activeElement.textContent === name;
  await page.waitForFunction(isThere, name).catch(async () => {
    const active = await page.evaluate(() => document.activeElement.outerHTML.slice(0, 80));
    assert.fail(`“${name}” should have the focus, but ${active} has it`);
  });
}

/** The names of all buttons that one can press. */
function buttons(page) {
  return page
    .locator("main button:visible")
    .evaluateAll((all) => all.map((button) => button.textContent));
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

  test("everybody can use the page, with all that the exercises bring", async (t) => {
    const { page, send } = await open(t, "chat.html", { viewport: { width: 360, height: 740 } });
    assert.deepEqual(await findings(page), [], "the form");
    await fill(page, "Your name", "ana");
    await press(page, "Join");
    await sees(page, "#state", "Connected as ana.", "Ana joined");

    send(chat("ana", "hello"));
    send(chat("ben", "hello, Ana"));
    send({ ...chat("ben", "psst"), type: "private", to: "ana" });
    send({ type: "online_users", users: ["ana", "ben"] });
    send({ type: "typing", username: "ben", is_typing: true });
    await sees(page, "#typists", "ben is typing …", "all of it is on the page");

    assert.deepEqual(await findings(page), [], "and the conversation");
    await page.emulateMedia({ forcedColors: "active" });
    const edges = await page
      .locator("#log :is(.sent, .received)")
      .evaluateAll((all) => all.map((line) => getComputedStyle(line).outline));
    assert.equal(new Set(edges).size, 3, `ours, Ben's and what is private differ: ${edges}`);
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

  test("the keyboard stays on a name in the list when others come and go", async (t) => {
    const { page, send } = await join(t);
    const shown = () => page.locator("#people li").allTextContents();
    send({ type: "online_users", users: ["ana", "ben", "dora"] });
    await page.getByRole("button", { name: "dora", exact: true }).focus();

    send({ type: "online_users", users: ["ana", "ben", "cem", "dora"] });
    await sees(page, "#people", "cem", "Cem has joined");
    send({ type: "online_users", users: ["ana", "cem", "dora", "eve"] });
    await sees(page, "#people", "eve", "Ben has left, and Eve has joined");

    const focused = await page.evaluate(() => document.activeElement.textContent);
    assert.equal(focused, "dora", "whoever was on a name goes on there");
    assert.deepEqual(await shown(), ["ana (you)", "cem", "dora", "eve"], "in their order");
    send({ type: "online_users", users: ["eve", "ana", "ana"] });
    await page.locator("#people li", { hasText: "dora" }).waitFor({ state: "detached" });
    const all = ["eve", "ana (you)", "ana (you)"];
    assert.deepEqual(await shown(), all, "the page shows what the server sends, right or not");
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
    await page.clock.setFixedTime(new Date()); // However slow this machine is.

    await page.getByLabel("Say").pressSequentially("hello there");
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
    assert.equal(await page.title(), "#rust – Chat", "and no stranger's script runs");
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
      // With a name that is taken, one would not get in again.
      const back = code === 4009 ? "Join" : "Connect again";
      for (const name of ["Join", "Connect again"]) {
        const isThere = await page.getByRole("button", { name, exact: true }).isVisible();
        assert.equal(isThere, name === back, `the one way back is “${back}”`);
      }
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

  for (const file of ["lesson_08.html", "lesson_09.html"]) {
    test(`a sign-in that nobody answers ends after ten seconds, on ${file}`, async (t) => {
      const { page } = await open(t, file, { routes: { "/me": { status: 401, body: "" } } });
      await page.route("**/login", () => {});
      await page.evaluate(() => {
        AbortSignal.timeout = (time) => AbortSignal.abort((window.patience = time));
      });
      await fill(page, "Name", "ana");
      await fill(page, "Password", "ana-likes-tea");

      await press(page, "Sign in");

      await sees(page, "#answer", "No server answers.", "the form does not wait for ever");
      assert.equal(await page.evaluate("window.patience"), 10_000, "but for a while");
      await hasFocus(page, "password", "one can try again at once");
    });
  }

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
    await page.keyboard.press("Shift+Tab"); // The messages
    await page.keyboard.press("Shift+Tab"); // Leave
    await page.keyboard.press("Enter");
    await sees(page, "#state", "Code 1000", "Leave closes with 1000");
  });

  test("the room's name stands above it, in the tab and in the address", async (t) => {
    const { page } = await open(t, "chat.html");
    await fill(page, "Your name", "ana");
    await fill(page, "Room", "தமிழ்");

    await press(page, "Join");

    await sees(page, "#room h2", "#தமிழ்", "the heading");
    assert.equal(await page.title(), "#தமிழ் – Chat", "the tab");
    const hash = new URL(page.url()).hash;
    assert.equal(new URLSearchParams(hash.slice(1)).get("room"), "தமிழ்", "the address");
    await press(page, "Leave");
    await sees(page, "#state", "Code 1000", "Ana leaves");
    assert.equal(await page.title(), "Chat", "the tab says no more than the page");
  });

  for (const file of ["chat.html", "lesson_08.html"]) {
    test(`an address names the room to join, on ${file}`, async (t) => {
      const { page } = await open(t, `${file}#room=tea-time`);
      const room = page.getByLabel("Room", { exact: true });
      assert.equal(await room.inputValue(), "tea-time", "the link fills the field");

      await page.evaluate(() => (location.hash = "#room=garden"));

      await page.waitForFunction(() => document.querySelector("[name=room]").value === "garden");
    });
  }

  test("a page remembers the name, and never a password", async (t) => {
    const { page } = await open(t, "lesson_08.html", {
      routes: { "/login": { json: { token: "a.b.c", username: "ana", expires_in: 1 } } },
    });
    await press(page, "Be ana");
    await sees(page, "#state", "Connected as ana.", "Ana signed in");

    await page.reload();

    assert.equal(await page.getByLabel("Name", { exact: true }).inputValue(), "ana");
    assert.equal(await page.getByLabel("Password").inputValue(), "", "it is typed each time");
    const stored = await page.evaluate(() => JSON.stringify({ ...localStorage }));
    assert.equal(stored, '{"username":"ana"}', "there is nothing else");
  });

  test("the chat remembers the name, too", async (t) => {
    const { page } = await join(t);

    await page.reload();

    assert.equal(await page.getByLabel("Your name").inputValue(), "ana");
  });

  test("after a close there is one way back, and the keyboard is there", async (t) => {
    const { page, sockets } = await join(t);
    await fill(page, "Say", "half a sentence");

    await sockets.at(-1).close({ code: 1001, reason: "restarting" });

    await sees(page, "#state", "Code 1001", "the page says why");
    await hasKeyboard(page, "Connect again");
    assert.deepEqual(await buttons(page), ["Projector", "Leave", "Connect again"]);
    assert.equal(await page.getByLabel("Say").isVisible(), false, "no form without effect");
    await page.keyboard.press("Enter");
    await sees(page, "#state", "Connected as ana.", "Ana is back");
    assert.equal(await page.getByLabel("Say").inputValue(), "half a sentence", "still there");
    await hasFocus(page, "text", "she can go on typing");
  });

  test("who leaves goes back to the form, and finds the same room again", async (t) => {
    const { page, send } = await join(t);
    send(chat("ben", "hello"));
    await sees(page, "#log", "hello", "Ben spoke");

    await press(page, "Leave");

    await sees(page, "#state", "Code 1000", "Ana left");
    await hasKeyboard(page, "Join");
    assert.deepEqual(await buttons(page), ["Join", "Look again", "Projector"]);
    await page.keyboard.press("Enter");
    await sees(page, "#state", "Connected as ana.", "Ana is back");
    assert.equal((await lines(page, "received")).length, 1, "what was said is still there");
  });

  for (const file of ["lesson_08.html", "lesson_09.html"]) {
    for (const [name, button] of [
      ["ben", "Be ben"],
      ["dora", "Sign in"],
    ]) {
      test(`on ${file}, the way back of ${name} after Leave is “${button}”`, async (t) => {
        const json = { token: "a.b.c", username: name, expires_in: 900 };
        const { page } = await open(t, file, { routes: { "/login": { json } } });
        await fill(page, "Name", name);
        await fill(page, "Password", "secret");
        await press(page, "Sign in");
        await sees(page, "#state", `Connected as ${name}.`, "the page is in the room");

        await press(page, "Leave");

        await sees(page, "#state", "Code 1000", "the connection is closed");
        await hasKeyboard(page, button);
      });
    }
  }

  test("who does not want to connect again can leave a room without a connection", async (t) => {
    const { page, sockets } = await join(t);
    await sockets.at(-1).close({ code: 1001, reason: "restarting" });
    await sees(page, "#state", "Code 1001", "the connection has ended");

    await press(page, "Leave");

    await hasKeyboard(page, "Join");
    await fill(page, "Your name", "ben");
    await press(page, "Join");
    await sees(page, "#state", "Connected as ben.", "under another name");
  });

  test("who leaves while the page connects is not thrown out of the next room", async (t) => {
    let opens;
    let isClosed = false;
    const slow = new Promise((resolve) => (opens = resolve));
    const { page } = await open(t, "chat.html", {
      greet(socket) {
        if (!socket.url().includes("/rust/")) return undefined;
        socket.onClose(async () => {
          await socket.close({ code: 1000 });
          isClosed = true;
        });
        return slow;
      },
    });
    await fill(page, "Your name", "ana");
    await press(page, "Join");
    await sees(page, "#state", "Connecting …", "the network is slow");
    await press(page, "Leave");
    await fill(page, "Room", "garden");
    await press(page, "Join");
    await sees(page, "#state", "Connected as ana.", "Ana is in the garden");

    opens();
    await until(() => isClosed, () => "the first connection should be closed");
    await page.waitForTimeout(200); // Its end would be drawn now.

    assert.equal(await page.locator("#join").isVisible(), false, "the form does not come back");
    assert.equal(await page.title(), "#garden – Chat", "and the room's name stays");
  });

  test("what the server refuses comes back to the field", async (t) => {
    const { page, send } = await join(t);
    const long = "long ".repeat(500);
    await say(page, long);

    send({ type: "error", message: "2499 characters are too many" });

    await sees(page, "#log .problem", "too many", "the page says why");
    assert.equal(await page.getByLabel("Say").inputValue(), long, "nothing has to be typed again");
  });

  test("what is refused while one types is kept in the log, with a button", async (t) => {
    const { page, send } = await join(t);
    await say(page, "one");
    await say(page, "two");
    await say(page, "three");
    await fill(page, "Say", "four");

    send(chat("ana", "one"));
    send({ type: "error", message: "too fast" });
    await sees(page, "#log .problem", "two", "the answers are in one order");
    send(chat("ana", "three"));
    await sees(page, "#log .sent", "three", "the third one was accepted");
    await press(page, "Put it back");

    assert.equal(await page.getByLabel("Say").inputValue(), "two four", "nothing is lost");
    await hasFocus(page, "text", "one can send it at once");
    assert.equal(await page.getByRole("button", { name: "Put it back" }).count(), 0);
  });

  test("what was said into a lost connection comes back, and what was heard does not", async (t) => {
    const { page, send, sockets } = await join(t);
    await say(page, "one");
    await say(page, "/pm ben psst");
    await say(page, "three ");
    send(chat("ana", "one"));
    send({ ...chat("ana", "psst"), type: "private", to: "ben" });
    await sees(page, "#log .private", "psst", "two answers came");

    await sockets.at(-1).close({ code: 1001, reason: "restarting" });
    await press(page, "Connect again");

    await sees(page, "#state", "Connected as ana.", "Ana is back");
    assert.equal(await page.getByLabel("Say").inputValue(), "three ", "it may be lost");
    assert.deepEqual(await lines(page, "problem"), [], "and nothing else was");
  });

  test("what was said into a lost connection outlives the history", async (t) => {
    const { page, send, sockets } = await join(t);
    await say(page, "one");
    await say(page, "two");
    await sockets.at(-1).close({ code: 1001, reason: "restarting" });
    await sees(page, "#log .problem", "two", "one is in the field, and two in the log");
    await press(page, "Connect again");
    await sees(page, "#state", "Connected as ana.", "Ana is back");

    send({ type: "history", messages: [chat("ben", "hello")] });

    await sees(page, "#log .received", "hello", "the history is there");
    await sees(page, "#log .problem", "two", "and what nobody has heard is still there, too");
    await press(page, "Put it back");
    assert.equal(await page.getByLabel("Say").inputValue(), "two one", "nothing is lost");
  });

  test("an error without a message of ours puts nothing into the field", async (t) => {
    const { page, send } = await join(t);
    await say(page, "hello");
    send(chat("ana", "hello"));

    send({ type: "error", message: "unknown variant `typing`" });

    await sees(page, "#log .problem", "unknown variant", "it is shown");
    assert.equal(await page.getByLabel("Say").inputValue(), "", "and that is all");
  });

  test("nothing moves when somebody types", async (t) => {
    const { page, send } = await join(t);
    const place = async () => Math.round((await page.locator("#say").boundingBox()).y);
    const before = await place();

    send({ type: "typing", username: "ben", is_typing: true });
    await sees(page, "#typists", "ben is typing …", "Ben types");

    assert.equal(await place(), before, "the field stays where it is");
  });

  test("one's own message is in sight, even if one has scrolled back", async (t) => {
    const { page, send } = await join(t);
    for (let line = 1; line <= 60; line += 1) send(chat("ben", `line ${line}`));
    await sees(page, "#log", "line 60", "all lines came");
    await page.locator("#log").evaluate((log) => log.scrollTo(0, 0));

    send(chat("ana", "It is me."));

    await sees(page, "#log .sent", "It is me.", "her message came back");
    const isInSight = await page.locator("#log").evaluate((log) => {
      const { bottom } = log.lastElementChild.getBoundingClientRect();
      return bottom <= log.getBoundingClientRect().bottom;
    });
    assert.ok(isInSight, "she sees what she has said");
  });

  test("the projector shows a room over the whole window, and Esc leaves it", async (t) => {
    const { page, send } = await join(t, {
      viewport: { width: 1280, height: 720 },
      routes: { "/rooms": { json: [{ room: "rust", members: 3 }] } },
    });
    send(chat("ben", "hello"));
    send(chat("cem", "hello, Ben"));
    await sees(page, "#log", "hello, Ben", "both spoke");
    await fill(page, "Say", "half a sentence");
    const size = () =>
      page.locator("#log li").first().evaluate((line) => parseFloat(getComputedStyle(line).fontSize));
    const small = await size();

    await press(page, "Projector");

    const { x, y, width, height } = await page.locator("#projector").boundingBox();
    assert.deepEqual([x, y, width, height], [0, 0, 1280, 720], "nothing else is in sight");
    await sees(page, "#projector h2", "#rust", "the room's name");
    await sees(page, "#projector output", "3 people", "how many are here");
    assert.ok((await size()) > 1.2 * small, "large type");
    const colors = await page
      .locator("#log small")
      .evaluateAll((names) => names.map((name) => getComputedStyle(name).color));
    assert.notEqual(colors[0], colors[1], "each name has its colour");
    assert.deepEqual(await findings(page), [], "a page for everybody");
    send(chat("ben", "news"));
    await sees(page, "#projector #log", "news", "it goes on");

    await page.keyboard.press("Escape");

    await page.locator("#projector").waitFor({ state: "detached" });
    await hasKeyboard(page, "Projector");
    await sees(page, "#room #log", "news", "with all that was said");
    assert.equal(await page.getByLabel("Say").inputValue(), "half a sentence", "and typed");
  });

  test("a connection that ends on the projector can be taken up there", async (t) => {
    const { page, sockets } = await join(t);
    await press(page, "Projector");

    await sockets.at(-1).close({ code: 1001, reason: "restarting" });
    await hasKeyboard(page, "Connect again");
    await page.keyboard.press("Enter");

    await sees(page, "#projector #state", "Connected as ana.", "Ana is back");
    const focused = await page.evaluate(() => document.activeElement.id);
    assert.equal(focused, "log", "the arrow keys scroll: the field is out of reach");
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
