import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, test } from "node:test";

import {
  fill,
  hasFocus,
  lines,
  lonely,
  openWindow,
  overflow,
  press,
  sees,
  useBrowser,
} from "./browser.mjs";
import { OFFLINE, REPLACED, comeBack, patiently, shows, writeAll } from "./delivery-log.mjs";
import { findings } from "./everybody.mjs";
import { PING_AFTER, PONG_WITHIN, everyHeartbeat, openBehindProxy } from "./heartbeat.mjs";
import { LIMITS, NO_SERVER, answered, connected, everyPage, rejected, serve } from "./lesson.mjs";
import { startProxy } from "./proxy.mjs";
import { start } from "./server.mjs";
import { PASSWORDS, enter, login } from "./users.mjs";

// Each server adds a listener, so that none outlives us. Here are many servers.
process.setMaxListeners(0);

const SECRET = { JWT_SECRET: "a secret that only this test knows" };
describe("lesson 18, delivery", LIMITS, () => {
  useBrowser();
  const lesson = serve("lesson_18_delivery");
  everyPage(lesson, { enter, login, path: "/ws/chat/quiet", reconnects: true });
  everyHeartbeat(lesson);

  /** A server with a log in a file, which the next one has, too, and a window of Ana's. */
  async function visit(t, { excused = [], ...options } = {}) {
    const folder = mkdtempSync(join(tmpdir(), "delivery-"));
    const env = { ...SECRET, DATABASE: join(folder, "chat.db") };
    const servers = [await start(lesson.name, 0, env)];
    const { port, url } = servers[0];
    const page = await openWindow(t, `${url}/${lesson.page}`, {
      excused: [NO_SERVER, ...excused],
      ...options,
    });
    t.after(async () => {
      for (const server of servers) await server.stop();
      rmSync(folder, { recursive: true });
    });
    await enter(page, "ana");
    return {
      page,
      kill: () => servers.at(-1).stop(),
      restart: async (more) => servers.push(await start(lesson.name, port, { ...env, ...more })),
      open: (options) => openWindow(t, `${url}/${lesson.page}`, options),
    };
  }

  /** A window whose messages go through our hands, between the page and the server. */
  function openWith(t, between) {
    return lesson.open(t, {
      prepare: (page) => page.routeWebSocket(/\/ws\/chat\//, between),
    });
  }

  /** Enters a room that no other test uses. */
  async function enterRoom(page, name, room) {
    await fill(page, "Room", room);
    await enter(page, name);
  }

  test("a message is acknowledged, with the number that everybody sees", async (t) => {
    const ana = await lesson.open(t);
    const ben = await lesson.open(t);
    await enterRoom(ana, "ana", "numbers");
    await enterRoom(ben, "ben", "numbers");

    await writeAll(ana, ["hello"]);
    await sees(ana, "#log .sent small", ", number 1, acknowledged", "Ana knows its number");
    await sees(ben, "#log .received small", ", number 1", "and so does Ben");
    await writeAll(ben, ["hello back"]);

    await sees(ana, "#log .received small", "ben, ", "whose it is");
    await sees(ana, "#log .received small", ", number 2", "and its number");
    await shows(ana, ["hello: acknowledged", "hello back"], "in the order of the numbers");
  });

  test("what is rejected has failed, with the server's sentence, and is not sent again", async (t) => {
    const page = await lesson.open(t);
    await enterRoom(page, "ana", "rejected");

    await writeAll(page, [" ", "hello"]);

    await sees(page, "#log [data-state=failed] small", "failed: ", "it says what it is");
    const note = await page.locator("[data-state=failed] small").textContent();
    assert.match(note, /^failed: .*\w+ \w+/, "and has the server's sentence");
    await page.reload();
    await enterRoom(page, "ana", "rejected");
    await shows(page, ["hello: acknowledged"], "the other one arrived");
  });

  test("without a network we write on, and nothing is lost", async (t) => {
    const ana = await lesson.open(t, { excused: [OFFLINE] });
    const ben = await lesson.open(t);
    await enterRoom(ana, "ana", "offline");
    await enterRoom(ben, "ben", "offline");
    await sees(ana, "#log", "ben joined.", "Ana has been welcomed before that");

    await ana.context().setOffline(true);
    await writeAll(ana, ["one", "two", "three"]);
    await writeAll(ben, ["four"]);
    await sees(ben, "#log .sent small", "number 1,", "Ben has a network");
    await shows(ana, ["one: sent", "two: sent", "three: sent"], "and Ana has none");
    await ana.context().setOffline(false);

    const own = ["one", "two", "three"].map((text) => `${text}: acknowledged`);
    await shows(ana, ["four", ...own], "Ana gets what Ben said, and the numbers of her own");
    await shows(ben, ["four: acknowledged", "one", "two", "three"], "Ben gets it in that order");
  });

  test("a network that is gone without a word is noticed, and nothing is lost", async (t) => {
    const { proxy, page } = await openBehindProxy(t, lesson);
    await enterRoom(page, "ana", "silence");
    await writeAll(page, ["hello"]);
    await shows(page, ["hello: acknowledged"], "the network is there");

    proxy.swallow();
    await writeAll(page, ["still here?"]);
    await shows(page, ["hello: acknowledged", "still here?: sent"], "no answer comes");
    await page.clock.fastForward(PING_AFTER);
    await page.clock.fastForward(PONG_WITHIN);

    await sees(page, "#log", "The server no longer answers.", "the page finds out");
    const all = ["hello: acknowledged", "still here?: acknowledged"];
    await shows(page, all, "connects again, and sends it again");
  });

  test("a message that arrived, but whose answer was lost with the connection, appears once", async (t) => {
    const sockets = [];
    let isLost = false;
    const page = await openWith(t, (ws) => {
      const server = ws.connectToServer();
      sockets.push(ws);
      server.onMessage((text) => (isLost && sockets.length === 1) || ws.send(text));
    });
    const ben = await lesson.open(t);
    await enterRoom(page, "ana", "once");
    await enterRoom(ben, "ben", "once");
    await sees(page, "#log", "ben joined.", "Ana has been welcomed before that");

    isLost = true;
    await writeAll(page, ["hello"]);
    await shows(ben, ["hello"], "it arrived");
    await shows(page, ["hello: sent"], "but Ana does not know that");
    await sockets[0].close({ code: 1001, reason: "" });

    await shows(page, ["hello: acknowledged"], "she sent it again, under its id");
    await writeAll(page, ["and more"]);
    await shows(ben, ["hello", "and more"], "and Ben sees it once");
  });

  test("a server is killed and started again: the page comes back, and sends what waited", async (t) => {
    const { page, kill, restart, open } = await visit(t);
    await writeAll(page, ["before"]);
    await shows(page, ["before: acknowledged"], "it is durable");

    await kill();
    await sees(page, "#state", "Code 1006", "the connection is lost");
    await writeAll(page, ["one", "two"]);
    await shows(page, ["before: acknowledged", "one: waiting", "two: waiting"], "they wait");
    await sees(page, "#log .sent small", "waiting", "in words, too");
    await restart();

    await connected(page);
    const all = ["before: acknowledged", "one: acknowledged", "two: acknowledged"];
    await shows(page, all, "what was there is still there, and what waited is sent");
    assert.equal(await page.locator("#log .problem").count(), 0, "nothing is missing");
    const ben = await open();
    await enter(ben, "ben");
    await shows(ben, ["before", "one", "two"], "the log on the disk has all of it, once");
  });

  test("the server is killed and started again while the network is off: nothing is lost", async (t) => {
    const { page, kill, restart, open } = await visit(t, { excused: [OFFLINE] });
    await writeAll(page, ["before"]);
    await shows(page, ["before: acknowledged"], "it is durable");

    await page.context().setOffline(true);
    await writeAll(page, ["one", "two"]);
    await kill();
    await restart();
    await page.context().setOffline(false);

    const all = ["before: acknowledged", "one: acknowledged", "two: acknowledged"];
    await shows(page, all, "the page comes back, and sends what waited");
    const ben = await open();
    await enter(ben, "ben");
    await shows(ben, ["before", "one", "two"], "the log has all of it, once");
  });

  test("a reload loses nothing that waits", async (t) => {
    let isCut = false;
    const held = [];
    const page = await openWith(t, (ws) => {
      const server = ws.connectToServer();
      if (isCut) server.onMessage((text) => held.push(() => ws.send(text)));
      else ws.onMessage((text) => isCut || server.send(text));
    });
    await enterRoom(page, "ana", "reload");
    await writeAll(page, ["one"]);
    await shows(page, ["one: acknowledged"], "this one has arrived");

    isCut = true;
    await writeAll(page, ["two", "three"]);
    await shows(page, ["one: acknowledged", "two: sent", "three: sent"], "no answer comes");
    await sees(page, "#log .sent small", "sent", "in words, too");
    await page.reload();
    await enterRoom(page, "ana", "reload");
    await shows(page, ["two: waiting", "three: waiting"], "the page knows them at once");
    const release = setInterval(() => held.splice(0).forEach((send) => send()), 10);
    t.after(() => clearInterval(release));

    const all = ["one", "two", "three"].map((text) => `${text}: acknowledged`);
    await shows(page, all, "they are sent again, and what was seen is shown again");
  });

  test("who has to sign in again keeps what waits", async (t) => {
    const { page, kill, restart } = await visit(t, { excused: [rejected(401), answered(401)] });
    await kill();
    await sees(page, "#state", "Code 1006", "the connection is lost");
    await writeAll(page, ["one"]);

    await restart({ JWT_SECRET: "another secret that only this test knows" });
    await sees(page, "#answer", "Sign in again: this token is not valid.", "it says so");
    assert.equal(await page.locator("#countdown").isVisible(), false, "and tries no more");
    await enter(page, "ana");

    await shows(page, ["one: acknowledged"], "nobody had to type it again");
  });

  test("what comes twice is shown once", async (t) => {
    const page = await openWith(t, (ws) => {
      const server = ws.connectToServer();
      server.onMessage((text) => [text, text].forEach((text) => ws.send(text)));
    });
    await enterRoom(page, "ana", "twice");

    await writeAll(page, ["one", "two"]);

    await shows(page, ["one: acknowledged", "two: acknowledged"], "each has one number");
  });

  test("an acknowledgement that is lost does not matter if the chat comes", async (t) => {
    const page = await openWith(t, (ws) => {
      const server = ws.connectToServer();
      server.onMessage((text) => JSON.parse(text).type !== "ack" && ws.send(text));
    });
    await enterRoom(page, "ana", "no-ack");

    await writeAll(page, ["hello"]);

    await shows(page, ["hello: acknowledged"], "it is in the log, so it has arrived");
  });

  test("a message that was acknowledged waits below for its place among the numbers", async (t) => {
    const waiting = [];
    let ws;
    const page = await openWith(t, (socket) => {
      ws = socket;
      const server = ws.connectToServer();
      server.onMessage((text) =>
        JSON.parse(text).type === "chat" ? waiting.push(text) : ws.send(text),
      );
    });
    const ben = await lesson.open(t);
    await enterRoom(page, "ana", "late");
    await enterRoom(ben, "ben", "late");
    await writeAll(ben, ["one"]);
    await sees(ben, "#log .sent small", "acknowledged", "Ben was first");

    await writeAll(page, ["two"]);
    await sees(page, "#log .sent small", "acknowledged, number 2", "Ana knows her number");
    assert.equal(await page.locator("#log .received").count(), 0, "but not what 1 is");
    waiting.forEach((text) => ws.send(text));

    await shows(page, ["one", "two: acknowledged"], "the order is that of the numbers");
  });

  test("a gap is a line in the log", async (t) => {
    const proxy = await startProxy(lesson.server.port);
    const page = await openWindow(t, `${proxy.url}/${lesson.page}`, { prepare: patiently });
    t.after(() => proxy.stop()); // After the window, which connects again.
    await enterRoom(page, "ana", "gap");
    await writeAll(page, ["one"]);
    await shows(page, ["one: acknowledged"], "Ana has seen number 1");
    const ben = await lesson.open(t);
    await login(ben, "ben");

    proxy.drop();
    await sees(page, "#countdown", "We try again in", "Ana is away");
    await flood(ben, "gap", 1100);
    await comeBack(page);

    await sees(page, "#log .received", "chat 1100", "what the server keeps comes");
    const sentence = "What was between the numbers 1 and 102 is missing";
    await sees(page, "#log .problem", sentence, "and a line says that it is not all");
    assert.equal(await page.locator("#log li").count(), 500, "the page keeps no more than ever");
  });

  /** Sends so many chats from a page, and waits until all are acknowledged. */
  function flood(page, room, count) {
    return page.evaluate(
      ([room, count]) =>
        new Promise((resolve, reject) => {
          const socket = new WebSocket(`/ws/chat/${room}?resume=0`);
          let left = count;
          socket.addEventListener("open", () => {
            for (let i = 1; i <= count; i += 1)
              socket.send(JSON.stringify({ type: "chat", id: `${i}`, content: `chat ${i}` }));
          });
          socket.addEventListener("message", ({ data }) => {
            if (JSON.parse(data).type === "ack") left -= 1;
            if (left === 0) resolve(socket.close(1000));
          });
          socket.addEventListener("close", ({ code }) => reject(new Error(`code ${code}`)));
        }),
      [room, count],
    );
  }

  test("a second window of the same person takes over, and the first does not fight", async (t) => {
    const proxy = await startProxy(lesson.server.port);
    const first = await openWindow(t, `${proxy.url}/${lesson.page}`);
    t.after(() => proxy.stop());
    await enterRoom(first, "ana", "windows");
    proxy.drop(); // So it has just come back, and may think that 4009 is its own doing.
    await sees(first, "#log", "Code 1006", "the connection is lost");
    await connected(first);
    let tries = 0;
    first.on("websocket", () => (tries += 1));

    const second = await openWindow(t, `${proxy.url}/${lesson.page}`, { beside: first });
    await enterRoom(second, "ana", "windows");

    await sees(first, "#state", REPLACED, "the first window says what has happened");
    assert.equal(await first.locator("#countdown").isVisible(), false, "and does not try");
    await writeAll(first, ["from the first"]);
    await shows(first, ["from the first: waiting"], "what one writes there waits");
    await first.waitForTimeout(2_000);
    assert.equal(tries, 0, "two windows would replace each other for ever");

    await press(first, "Connect again");
    await connected(first);
    await shows(first, ["from the first: acknowledged"], "and is sent when one wants it");
    await sees(second, "#state", REPLACED, "now it is the other one");
    await press(second, "Connect again");
    await connected(second);
  });

  test("a log that is not available is tried again later", async (t) => {
    const sockets = [];
    const page = await openWith(t, (ws) => {
      ws.connectToServer();
      sockets.push(ws);
    });
    await enterRoom(page, "ana", "unavailable");

    await sockets[0].close({ code: 1013, reason: "the log is not available" });

    await sees(page, "#log", "Try again later", "it says what it is");
    await connected(page);
    await writeAll(page, ["hello"]);
    await shows(page, ["hello: acknowledged"], "and works");
  });

  test("a server that opens connections and closes them is one line, until it serves again", async (t) => {
    const unavailable = { code: 1013, reason: "the log is not available" };
    const sockets = [];
    const page = await openWith(t, (ws) => {
      sockets.push(ws);
      const server = ws.connectToServer();
      const isInVain = ![1, 4].includes(sockets.length);
      if (isInVain) server.onMessage(() => ws.close(unavailable)); // In place of the welcome.
    });
    await enterRoom(page, "ana", "closing");
    await writeAll(page, ["one"]);
    await shows(page, ["one: acknowledged"], "there is a server");
    const closed = async () => (await lines(page, "notice")).filter((it) => it.includes("Closed."));

    await sockets[0].close(unavailable);
    await writeAll(page, ["two"]);
    await shows(page, ["one: acknowledged", "two: acknowledged"], "it comes back");
    assert.equal(sockets.length, 4, "two tries were in vain");
    assert.equal((await closed()).length, 1, "and have no line of their own");

    await sockets[3].close(unavailable);
    await sees(page, "#state", "Closed.", "it ends once more");
    assert.equal((await closed()).length, 2, "and that is told again");
  });

  test("a network that is back ends a long wait", async (t) => {
    const { page, kill, restart } = await visit(t, { prepare: patiently });
    await kill();
    await sees(page, "#countdown", "We try again in", "it waits");
    await restart();

    await comeBack(page);

    await connected(page);
  });

  test("a hundred messages may wait: then the page says so, and the text stays in the field", async (t) => {
    const { page, kill } = await visit(t);
    await kill();
    await sees(page, "#state", "Code 1006", "the connection is lost");

    await page.evaluate(() => {
      const { text } = document.querySelector("#say").elements;
      for (let i = 1; i <= 101; i += 1) {
        text.value = `${i}`;
        text.form.requestSubmit();
      }
    });

    await sees(page, "#log .problem", "100 messages wait already.", "it says so");
    assert.equal(await page.getByLabel("Say").inputValue(), "101", "nothing is typed in vain");
    assert.equal(await page.locator("[data-state=waiting]").count(), 100);
  });

  test("the connection is lost, and the keyboard stays where one writes", async (t) => {
    const { page, kill, restart } = await visit(t);
    await page.keyboard.type("one");
    await kill();
    await sees(page, "#state", "No server answers.", "the connection is lost");

    await hasFocus(page, "text", "one writes on");
    await page.keyboard.type(" and more");
    await page.keyboard.press("Enter");

    await shows(page, ["one and more: waiting"], "Enter puts it into the queue");
    await restart();
    await connected(page);
    await shows(page, ["one and more: acknowledged"], "and it is sent");
  });

  test("all states are for everybody, also on a phone", async (t) => {
    const { page, kill } = await visit(t, { viewport: { width: 390, height: 800 } });
    await writeAll(page, ["acknowledged", " "]);
    await sees(page, "#log .sent small", "failed", "it is rejected");
    await kill();
    await sees(page, "#state", "No server answers.", "the connection is lost");
    await writeAll(page, ["waiting"]);
    await page.evaluate(() => {
      const entry = document.querySelector("[data-state=waiting]").cloneNode(true);
      entry.dataset.state = "sent";
      document.querySelector("#log").append(entry);
    });

    for (const colorScheme of ["light", "dark"]) {
      await page.emulateMedia({ colorScheme });
      assert.deepEqual(await findings(page), [], `for everybody, in ${colorScheme}`);
    }
    assert.equal(await overflow(page), 0, "nobody has to scroll sideways");
    assert.deepEqual(await lonely(page), [], "no button wraps alone");
    for (const forcedColors of ["none", "active"]) {
      await page.emulateMedia({ forcedColors });
      const looks = await page.locator("#log .sent").evaluateAll((items) =>
        items.map((item) => {
          const { outlineStyle, outlineWidth } = getComputedStyle(item);
          const { content } = getComputedStyle(item.querySelector("small"), "::before");
          return `${outlineStyle} ${outlineWidth} ${content}`;
        }),
      );
      assert.equal(new Set(looks).size, 4, `each state looks different: ${looks}`);
    }
  });
});
