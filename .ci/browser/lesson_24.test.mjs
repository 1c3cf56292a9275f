import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, test } from "node:test";

import {
  complaint,
  fill,
  hasFocus,
  lines,
  openWindow,
  overflow,
  press,
  say,
  sees,
  type,
  useBrowser,
} from "./browser.mjs";
import { OFFLINE, REPLACED, comeBack, patiently, shows, writeAll } from "./delivery-log.mjs";
import { findings } from "./everybody.mjs";
import {
  PING_AFTER,
  PONG_WITHIN,
  cut,
  isQuiet,
  openBehindProxy,
  openWithClock,
  until,
} from "./heartbeat.mjs";
import { LIMITS, NO_SERVER, answered, connected, everyPage, rejected, serve } from "./lesson.mjs";
import { BAD_NAMES, GOOD_NAMES, longest } from "./names.mjs";
import { startProxy } from "./proxy.mjs";
import { start } from "./server.mjs";
import { PASSWORDS, enter, login, signIn } from "./users.mjs";

// Each server adds a listener, so that none outlives us. Here are many servers.
process.setMaxListeners(0);

/** With it, the tokens of one server are valid at the next one. */
const SECRET = { CHAT_JWT_SECRET: "a secret that only these tests know" };

/** A reader sets no secret. */
const NO_SECRET = {};

const TEA = "Tea for two, and two for tea. ".repeat(20);

const NOT_VALID = "Sign in again: this token is not valid.";

/** Waits until all three parts of the page are connected. */
async function allLive(page, name) {
  await sees(page, "#state", `Connected as ${name}.`, "the chat is connected");
  await sees(page, "#users-state", "Live:", "the users are live");
  await sees(page, "#tasks-state", "Live:", "the tasks are live");
}

async function addUser(page, name, email = `${name.toLowerCase()}@example.org`) {
  await fill(page, "Full name", name);
  await fill(page, "E-mail", email);
  await press(page, "Add user");
}

async function startTask(page, text, seconds) {
  await fill(page, "Text whose words the server should count", text);
  await fill(page, "Seconds that it should take", `${seconds}`);
  await press(page, "Start");
}

/** Nobody answers requests for `path`, and the page's patience is over at once. */
async function impatient(page, path) {
  await page.route(`**${path}`, () => {});
  await page.evaluate(() => {
    window.timeout = AbortSignal.timeout;
    AbortSignal.timeout = () => AbortSignal.abort();
  });
}

/** Waits until a task has come so far. */
async function reaches(page, id, share) {
  const isThere = ([id, share]) =>
    [...document.querySelectorAll("progress")].some(
      ({ ariaLabel, value }) => ariaLabel === `Task ${id}` && value >= share,
    );
  await page.waitForFunction(isThere, [id, share]).catch(() => {
    assert.fail(`the page should show that task ${id} has come to ${share} per cent`);
  });
}

describe("lesson 24, the capstone", LIMITS, () => {
  useBrowser();
  const lesson = serve("lesson_24_capstone");
  everyPage(lesson, { enter, login, path: "/ws/chat/quiet", reconnects: true });

  /** Starts a server of its own, and opens a window of Ana's on it. */
  async function visit(t, { env = SECRET, excused = [], ...options } = {}) {
    const server = await start(lesson.name, 0, env);
    const url = `${server.url}/${lesson.page}`;
    const page = await openWindow(t, url, { excused: [NO_SERVER, ...excused], ...options });
    t.after(() => server.stop()); // After the windows, which would ask what has happened.
    await enter(page, "ana");
    await allLive(page, "ana");
    return { server, page, url };
  }

  // With each of these values, the program would not start.
  for (const [program, variable, value] of [
    [lesson.name, "CHAT_MAX_ROOMS", "none"],
    ["lesson_08_auth", "JWT_SECRET", "short"],
    ["lesson_08_auth", "ALLOWED_ORIGINS", "localhost"],
    ["lesson_11_connection_limits", "MAX_ROOMS", "none"],
    ["lesson_12_slow_clients", "SLOW_CLIENT", "none"],
    ["lesson_13_shutdown", "SHUTDOWN_TIMEOUT", "none"],
    ["lesson_15_database", "DATABASE", "/no/such/folder/users.db"],
  ]) {
    test(`a test has what a reader has, so it does not inherit ${variable}`, async (t) => {
      process.env[variable] = value;
      t.after(() => delete process.env[variable]);

      const server = await start(program);

      await server.stop();
    });
  }

  test("one sign-in opens the chat, the users and the tasks", async (t) => {
    const logins = [];
    const { page, url } = await visit(t, {
      prepare: (page) =>
        page.on("request", (request) => {
          if (request.url().endsWith("/login")) logins.push(request.method());
        }),
    });
    const ben = await openWindow(t, url);
    await enter(ben, "ben");
    await allLive(ben, "ben");

    await say(page, "Hello, Ben!");
    await addUser(page, "Dora");
    await startTask(page, TEA, 3);

    await sees(ben, "#log .received", "Hello, Ben!", "Ben receives what Ana says");
    await sees(ben, "#users tr.changed td", "Dora", "and sees the new user");
    await sees(ben, "#users td small", "dora@example.org, owner: ana", "and whose row it is");
    await reaches(page, 1, 10);
    await sees(page, "#tasks small", "s left", "the estimate");
    const end = "Task 1 has finished: 140 words, 4 different ones.";
    await sees(page, "#tasks output", end, "the end");
    assert.equal(await ben.locator("#tasks li").count(), 0, "her tasks are hers alone");
    assert.deepEqual(logins, ["POST"], "Ana has signed in once");
  });

  test("the wire view says what each socket of the page is for", async (t) => {
    const { page } = await visit(t);

    await press(page, "Wire");

    const lanes = page.locator("wire-view .names .lanes b");
    for (const name of ["Ana", "Ana users", "Ana tasks"])
      await lanes.getByText(name, { exact: true }).waitFor();
    assert.equal(await lanes.count(), 4, "and one lane is the server's");
    const text = await page.evaluate(() => document.querySelector("wire-view").transcript());
    assert.match(text, /^ana signs in ana-likes-tea$/m, "all of them are Ana's");
    assert.match(text, /^ana-tasks connects \/ws\/tasks\?token=\{ana\.token\}$/m);
  });

  test("after a reload nobody signs in again, and the page shows the same", async (t) => {
    const { page } = await visit(t);
    await addUser(page, "Emil");
    await sees(page, "#users td", "Emil", "Emil is in the table");
    await startTask(page, TEA, 0);
    await sees(page, "#tasks output", "has finished", "the task has ended");

    await page.reload();

    await allLive(page, "ana");
    await sees(page, "#users td", "Emil", "the table");
    await sees(page, "#tasks output", "Task 1 has finished: 140 words", "the result");
  });

  test("blanks and capital letters in the name do not matter", async (t) => {
    const page = await lesson.open(t);
    await fill(page, "Name", "Cem ");
    await fill(page, "Password", PASSWORDS.cem);

    await press(page, "Sign in");

    await sees(page, "#me", "You are cem.", "the server says how the name is written");
    await allLive(page, "cem");
    await say(page, "It is me.");
    await sees(page, "#log .sent", "It is me.", "the page knows its own messages");
  });

  test("whoever is refused at the sign-in reads the server's sentence", async (t) => {
    const { url } = await visit(t);
    const page = await openWindow(t, url, { excused: [answered(401), answered(429)] });
    await fill(page, "Name", "ben");
    await fill(page, "Password", "ben-likes-ham");

    await press(page, "Sign in");
    await sees(page, "#answer", "Wrong name or password.", "a sentence, and no JSON");
    assert.doesNotMatch(await page.locator("#answer").textContent(), /[{}]/);
    await hasFocus(page, "password", "one can try again at once");
    assert.equal(await page.locator("#app").isVisible(), false, "and nothing opens");

    const again = page.getByRole("button", { name: "Sign in", exact: true });
    for (let i = 0; i < 6; i += 1) {
      await again.click();
      await page.waitForFunction(() => !document.querySelector("#sign-in fieldset").disabled);
    }
    await sees(page, "#answer", "ry again in", "too many attempts: when to try again");
  });

  test("an answer that is not our server's is told apart from none", async (t) => {
    const page = await lesson.open(t, {
      prepare: (page) => page.route("**/login", (route) => route.fulfill({ body: "<p>Pay!" })),
    });
    await fill(page, "Name", "ana");
    await fill(page, "Password", PASSWORDS.ana);

    await press(page, "Sign in");

    const sentence = "The answer is not JSON, so it is not from our server.";
    await sees(page, "#answer", sentence, "somebody does answer");
    await hasFocus(page, "password", "one can try again at once");
  });

  test("a sign-in that nobody answers ends, and one can try again", async (t) => {
    const page = await lesson.open(t);
    await fill(page, "Name", "ana");
    await fill(page, "Password", PASSWORDS.ana);
    await impatient(page, "/login");

    await press(page, "Sign in");

    await sees(page, "#answer", "No server answers.", "the form does not wait for ever");
    await hasFocus(page, "password", "one can try again at once");
    await page.unroute("**/login");
    await page.evaluate(() => {
      AbortSignal.timeout = window.timeout;
    });
    await press(page, "Sign in");
    await allLive(page, "ana");
  });

  test("whatever else nobody answers ends with a sentence", async (t) => {
    const { page } = await visit(t);
    await impatient(page, "/{tasks,logout}*");

    await startTask(page, TEA, 0);
    await sees(page, "#tasks-reply", "No server answers.", "a task does not wait for ever");
    await press(page, "Sign in as somebody else");
    await sees(page, "#answer", "stays signed in for a while", "nor does whoever signs out");
  });

  test("a browser that blocks the storage costs no more than the reload", async (t) => {
    const page = await lesson.open(t, {
      prepare: (page) =>
        page.addInitScript(() => {
          const get = () => {
            throw new DOMException("Access is denied.", "SecurityError");
          };
          Object.defineProperty(window, "localStorage", { get });
        }),
    });
    await sees(page, "#answer", "You are not signed in.", "the page starts");

    await enter(page, "ben");
    await allLive(page, "ben");
    await press(page, "Sign in as somebody else");

    await sees(page, "#answer", "You are not signed in.", "and ends as always");
  });

  test("whoever is refused a change reads the server's sentence", async (t) => {
    const excused = [answered(403), answered(409), answered(422)];
    const { page, url } = await visit(t, { excused });
    const ben = await openWindow(t, url, { excused });
    await enter(ben, "ben");
    await allLive(ben, "ben");

    await addUser(ben, "Fay", "fay@example");
    await sees(ben, "#users-reply", "email: an e-mail address looks like", "422");
    assert.equal(await ben.getByLabel("E-mail").inputValue(), "fay@example", "it stays");
    await addUser(ben, "Fay");
    await sees(ben, "#users td", "Fay", "now it is right");
    await addUser(ben, "Fay");
    await sees(ben, "#users-reply", "Another user has this e-mail address.", "409");

    await addUser(page, "Gus");
    await sees(ben, "#users td", "Gus", "a row of Ana's");
    await press(ben, "Delete Gus");
    await sees(ben, "#users-reply", "Only its owner may change", "403");
    await press(ben, "Rename Gus");
    await fill(ben, "New name", "Gustav");
    await ben.getByRole("dialog").getByRole("button", { name: "Rename" }).click();
    await sees(ben, "#rename .problem", "Only its owner may change", "403 again");
    assert.equal(await ben.getByLabel("New name").inputValue(), "Gustav", "it stays");
    assert.equal(await page.getByText("Gustav").count(), 0, "the row is as it was");
    await press(ben, "Cancel");
    await press(ben, "Rename Fay");
    assert.equal(await ben.locator("#rename .problem").textContent(), "", "that was Gus");
    await fill(ben, "New name", "Fabienne");
    await ben.keyboard.press("Enter");
    await sees(ben, "#users td", "Fabienne", "this row is his own");
    assert.equal(await ben.getByRole("dialog").count(), 0, "and the form is gone");

    await press(page, "Delete Fabienne"); // Ana is an operator.
    await ben.getByRole("button", { name: "Delete Fabienne" }).waitFor({ state: "detached" });
  });

  test("markup in a name is shown as the text it is", async (t) => {
    const { page } = await visit(t);
    const hostile = '<img src="x" onerror="document.title = 1">';

    await addUser(page, hostile, "mallory@example.org");

    await sees(page, "#users td", hostile, "a name is text");
    assert.equal(await page.locator("img").count(), 0, "no stranger puts an image here");
    assert.match(await page.title(), /Lesson 24: the capstone$/, "and no stranger's script runs");
  });

  test("an announcement of an operator reaches everybody", async (t) => {
    const { page, url } = await visit(t);
    const ben = await openWindow(t, url);
    await enter(ben, "ben");
    await allLive(ben, "ben");

    await page.evaluate(() =>
      fetch("/api/v1/announcements", {
        method: "POST",
        headers: { "Content-Type": "application/json" },
        body: JSON.stringify({ message: "There is cake." }),
      }),
    );

    await sees(ben, "#users-reply", "Announcement: There is cake.", "Ben reads it");
  });

  test("a user who is not active any more is marked", async (t) => {
    const { page } = await visit(t);
    await addUser(page, "Kim");
    await sees(page, "#users td small", "kim@example.org, owner: ana", "Kim is active");

    await page.evaluate(() =>
      fetch("/api/v1/users/1/", {
        method: "PATCH",
        headers: { "Content-Type": "application/json" },
        body: JSON.stringify({ is_active: false }),
      }),
    );

    await sees(page, "#users td small", "owner: ana, not active", "and now not");
  });

  test("whoever changes too much reads when to try again", async (t) => {
    const env = { ...SECRET, CHAT_CHANGES_PER_SECOND: "1", CHAT_CHANGE_BURST: "1" };
    const { page } = await visit(t, { env, excused: [answered(409), answered(429)] });
    const untilRefused = async (path, act) => {
      let status;
      for (let i = 0; i < 20 && status !== 429; i += 1) {
        const answer = page.waitForResponse((response) => response.url().includes(path));
        await act();
        status = (await answer).status();
      }
    };

    await untilRefused("/users", () => addUser(page, "Hana"));
    await sees(page, "#users-reply", "ry again in", "when to add the next user");
    await untilRefused("/tasks", () => startTask(page, TEA, 0));
    await sees(page, "#tasks-reply", "ry again in", "when to start the next task");
  });

  test("what the server refuses to count is explained", async (t) => {
    const { page } = await visit(t, { excused: [answered(413), answered(429)] });

    await startTask(page, "x".repeat(1024 * 1024 + 1), 10);
    await sees(page, "#tasks-reply", "This text is too long", "the server's sentence");
    for (let i = 0; i < 6; i += 1) await startTask(page, TEA, 60);
    await sees(page, "#tasks-reply", "5 of your tasks are unfinished", "what to do");

    await press(page, "Cancel task 1");
    await sees(page, "#tasks output", "Task 1 is cancelled.", "it ends");
    await sees(page, "#tasks output", "Task 3 is running.", "and the next one begins");
    await page.waitForFunction(() => document.querySelector("#tasks-reply").value === "");
  });

  test("after a restart without a secret the page asks for the password", async (t) => {
    const { server, page } = await visit(t, {
      env: NO_SECRET,
      excused: [rejected(401), answered(401)],
    });
    let tries = 0;
    page.on("websocket", () => (tries += 1));
    await startTask(page, TEA, 60);
    await reaches(page, 1, 1);

    assert.equal(await server.end("SIGINT"), 0, "the server ends in good order");
    await sees(page, "#log", "the server is shutting down", "the page says what it is");
    await sees(page, "#countdown", "We try again in", "and connects again by itself");
    assert.equal(await page.locator("#tasks").isVisible(), false, "no old numbers");
    const next = await start(lesson.name, server.port, NO_SECRET);
    t.after(() => next.stop());

    await sees(page, "#answer", NOT_VALID, "the server's sentence, and no JSON");
    assert.equal(await page.locator("#app").isVisible(), false, "no part of it is left");
    assert.equal(await page.getByLabel("Name", { exact: true }).inputValue(), "ana");
    await hasFocus(page, "password", "only the password is missing");
    const before = tries;
    await page.waitForTimeout(2_000);
    assert.equal(tries, before, "no further try with a token that cannot work");

    await enter(page, "ana");
    await allLive(page, "ana");
    await say(page, "I am back.");
    await sees(page, "#log .sent", "I am back.", "the chat goes on");
    assert.equal(await page.locator("#tasks li").count(), 0, "nobody worked on the task");
  });

  // The chat is closed, and one of the two others cannot ask.
  for (const [part, path] of [
    ["users", "**/me"],
    ["tasks", "**/api/v1/users?*"],
  ]) {
    test(`the ${part} alone find out that the token is not valid`, async (t) => {
      const { server, page } = await visit(t, {
        env: NO_SECRET,
        excused: [rejected(401), answered(401), /ERR_FAILED/],
      });
      await press(page, "Leave");
      await sees(page, "#state", "Code 1000", "Ana has left the room");
      await addUser(page, "Olaf");
      await press(page, "Rename Olaf");
      await page.route(path, (route) => route.abort());

      await server.end();
      const next = await start(lesson.name, server.port, NO_SECRET);
      t.after(() => next.stop());

      await sees(page, "#answer", NOT_VALID, "the page asks for the password");
      assert.equal(await page.getByRole("dialog").count(), 0, "nothing lies above it");
    });
  }

  test("after a restart a reload asks for the password, too", async (t) => {
    const { server, page } = await visit(t, { env: NO_SECRET, excused: [answered(401)] });
    await page.goto("about:blank");
    await server.stop();
    const next = await start(lesson.name, server.port, NO_SECRET);
    t.after(() => next.stop());
    let tries = 0;
    page.on("websocket", () => (tries += 1));

    await page.goto(`${next.url}/${lesson.page}`);

    await sees(page, "#answer", NOT_VALID, "the page has asked over HTTP");
    assert.equal(tries, 0, "before it opened a socket");
  });

  test("after a restart with a secret all parts come back, and nothing typed is lost", async (t) => {
    const { server, page } = await visit(t);
    const tasks = page.getByLabel("Text whose words the server should count");
    await fill(page, "Say", "half a sentence");
    await tasks.fill("Tea");
    await tasks.press("End");

    assert.equal(await server.end(), 0, "the server ends in good order");
    await sees(page, "#users-state", "Not live.", "the users");
    await sees(page, "#tasks-state", "We try again.", "the tasks");
    const next = await start(lesson.name, server.port, SECRET);
    t.after(() => next.stop());
    await allLive(page, "ana");
    await page.keyboard.type(" for two");

    assert.equal(await tasks.inputValue(), "Tea for two", "the keyboard stays where it was");
    assert.equal(await page.getByLabel("Say").inputValue(), "half a sentence", "still there");
    assert.equal(await page.locator("#countdown").isVisible(), false, "nothing to wait for");
  });

  test("one can go to another room, and is in one room only", async (t) => {
    const { page, url } = await visit(t);
    const ben = await openWindow(t, url);
    await enter(ben, "ben");
    await sees(page, "#log .notice", "ben joined.", "both are in one room");

    await fill(page, "Room", "tea-time");
    await press(page, "Join");

    await sees(ben, "#log .notice", "ana left.", "Ana has left the first room");
    await sees(page, "#state", "Connected as ana.", "and is in the other one");
    assert.deepEqual(await lines(page), [], "where nobody has said anything");
    await hasFocus(page, "text", "she can speak at once");
    await say(ben, "Where are you?");
    await say(page, "In another room.");
    await sees(page, "#log .sent", "In another room.", "she hears herself");
    assert.equal((await lines(page)).length, 1, "and not the first room");
  });

  test("a room may have a name of any script, in any normal form", async (t) => {
    const { page, url } = await visit(t);
    const ben = await openWindow(t, url);
    await enter(ben, "ben");

    await type(page, "Room", "José".normalize("NFC"));
    await press(page, "Join");
    await sees(page, "#state", "Connected as ana.", "Ana joins, in normal form C");
    await type(ben, "Room", "José".normalize("NFD"));
    await press(ben, "Join");
    await sees(page, "#log .notice", "ben joined.", "Ben joins the same room");

    await type(page, "Room", "தமிழ்");
    await press(page, "Join");
    await sees(page, "#state", "Connected as ana.", "a name with marks is a name, too");
  });

  test("the page says what is wrong with the name of a room", async (t) => {
    const { page } = await visit(t);
    const rule = "1 to 40 letters of any script, digits, - and _";

    for (const name of [...GOOD_NAMES, "น้ำ", longest(40)]) {
      await type(page, "Room", name);
      assert.equal(await complaint(page, "Room"), "", `${name} is good`);
    }
    for (const name of BAD_NAMES) {
      await type(page, "Room", name);
      assert.equal(await complaint(page, "Room"), rule, `${JSON.stringify(name)} is bad`);
    }
    await type(page, "Room", longest(41));
    const sentence = "A name has at most 40 characters. This one has 41.";
    assert.equal(await complaint(page, "Room"), sentence, "and this is longer");
  });

  test("whoever leaves the room stays away, and the rest goes on", async (t) => {
    const { page } = await visit(t);

    await press(page, "Leave");

    await sees(page, "#state", "Code 1000", "Ana has left");
    await hasFocus(page, "join", "the way back is the form");
    await addUser(page, "Ida");
    await sees(page, "#users td", "Ida", "the users are live");
    assert.equal(await page.locator("#countdown").isVisible(), false, "for good");
    await press(page, "Join");
    await sees(page, "#state", "Connected as ana.", "until she wants to come back");
  });

  test("who signs out is signed out, and so are the other windows of the browser", async (t) => {
    const { page, url } = await visit(t, { excused: [answered(401)] });
    await allLive(page, "ana");
    const second = await openWindow(t, url, { beside: page, excused: [answered(401)] });
    await sees(second, "#users-state", "Live:", "the second window is signed in");

    const reloaded = second.waitForEvent("load");
    await press(page, "Sign in as somebody else");
    await reloaded;

    await sees(page, "#answer", "You are not signed in.", "the form is back");
    await sees(second, "#answer", "You are not signed in.", "in both windows");
    const status = await page.evaluate(async () => (await fetch("/me")).status);
    assert.equal(status, 401, "and the cookie is gone, which no script could see");
  });

  test("a window is never somebody else than it says", async (t) => {
    const { page, url } = await visit(t);
    await allLive(page, "ana");
    const second = await openWindow(t, url, { beside: page });
    await sees(second, "#me", "You are ana.", "the second window is Ana's, too");

    let reloaded = second.waitForEvent("load");
    await press(page, "Sign in as somebody else");
    await reloaded;
    await sees(second, "#answer", "You are not signed in.", "both have signed out");
    reloaded = second.waitForEvent("load");
    await signIn(page, "ben");
    await reloaded;

    // In the chat, one of the two has the place of the other: whichever was later.
    for (const one of [page, second]) {
      await sees(one, "#me", "You are ben.", "both windows are Ben's now");
      await sees(one, "#users-state", "Live:", "and both have the users");
    }
  });

  test("a second window takes over in the chat, and both have the users and the tasks", async (t) => {
    const { page, url } = await visit(t);
    let tries = 0;
    page.on("websocket", () => (tries += 1));
    const second = await openWindow(t, url, { beside: page });

    await allLive(second, "ana");
    await sees(page, "#state", REPLACED, "the first window says what has happened");
    await startTask(second, TEA, 60);
    await reaches(page, 1, 1);
    await press(page, "Cancel task 1");
    await sees(second, "#tasks output", "Task 1 is cancelled.", "both show the same");

    await writeAll(page, ["from the first"]);
    await shows(page, ["from the first: waiting"], "what one writes there waits");
    await page.waitForTimeout(2_000);
    assert.equal(tries, 0, "two windows would replace each other for ever");
    await press(page, "Connect again");
    await shows(page, ["from the first: acknowledged"], "and is sent when one wants it");
    await sees(second, "#state", REPLACED, "now it is the other one");
  });

  test("after a lost connection, too, the first window does not fight", async (t) => {
    const proxy = await startProxy(lesson.server.port);
    const first = await openWindow(t, `${proxy.url}/${lesson.page}`);
    t.after(() => proxy.stop()); // After the window, which connects again.
    await enter(first, "cem");
    await allLive(first, "cem");
    proxy.drop(); // It may think now that 4009 is its own doing.
    await sees(first, "#log", "Code 1006", "the connection is lost");
    await allLive(first, "cem");
    let tries = 0;
    first.on("websocket", () => (tries += 1));

    const second = await openWindow(t, `${proxy.url}/${lesson.page}`, { beside: first });

    await allLive(second, "cem");
    await sees(first, "#state", REPLACED, "the first window says what has happened");
    await first.waitForTimeout(2_000);
    assert.equal(tries, 0, "two windows would replace each other for ever");
  });

  test("without a network we write on, and it arrives once", async (t) => {
    const { page, url } = await visit(t, { excused: [OFFLINE] });
    const ben = await openWindow(t, url);
    await enter(ben, "ben");
    await sees(page, "#log .notice", "ben joined.", "both are in one room");

    await page.context().setOffline(true);
    await writeAll(page, ["one", "two"]);
    await writeAll(ben, ["three"]);
    await sees(ben, "#log .sent small", "number 1,", "Ben has a network");
    await shows(page, ["one: sent", "two: sent"], "and Ana has none");
    await page.context().setOffline(false);

    const all = ["three", "one: acknowledged", "two: acknowledged"];
    await shows(page, all, "Ana gets what Ben said, and the numbers of her own");
    await shows(ben, ["three: acknowledged", "one", "two"], "Ben gets it in that order");
  });

  test("the server is killed: the chat goes on with the next one, and nothing is lost", async (t) => {
    const folder = mkdtempSync(join(tmpdir(), "capstone-"));
    const env = { ...SECRET, CHAT_DATABASE: join(folder, "chat.db") };
    const { server, page, url } = await visit(t, { env, prepare: patiently });
    await writeAll(page, ["before"]);
    await shows(page, ["before: acknowledged"], "it is durable");

    await server.stop();
    await sees(page, "#countdown", "We try again in", "the connection is lost");
    await writeAll(page, ["one", "two"]);
    await shows(page, ["before: acknowledged", "one: waiting", "two: waiting"], "they wait");
    const next = await start(lesson.name, server.port, env);
    t.after(async () => {
      await next.stop();
      rmSync(folder, { recursive: true });
    });
    await comeBack(page);

    await connected(page);
    const all = ["before: acknowledged", "one: acknowledged", "two: acknowledged"];
    await shows(page, all, "what was there is still there, and what waited is sent");
    assert.deepEqual(await lines(page, "problem"), [], "nothing is missing");
    const ben = await openWindow(t, url);
    await enter(ben, "ben");
    await shows(ben, ["before", "one", "two"], "the log on the disk has all of it, once");
  });

  test("that this is another log stands above what was said in it", async (t) => {
    const { server, page } = await visit(t, { prepare: patiently });
    await writeAll(page, ["before"]);
    await shows(page, ["before: acknowledged"], "the log is in memory, and ends with the server");

    await server.stop();
    await sees(page, "#countdown", "We try again in", "the connection is lost");
    await writeAll(page, ["one", "two"]);
    const next = await start(lesson.name, server.port, SECRET);
    t.after(() => next.stop());
    await comeBack(page);

    const all = ["before: acknowledged", "one: acknowledged", "two: acknowledged"];
    await shows(page, all, "what waited is sent to the new one");
    const items = page.locator("#log li:is(.sent, .gap)");
    const texts = await items.evaluateAll((all) => all.map(({ lastChild }) => lastChild.textContent));
    const note = "This is another log: its numbers begin anew, and messages may be missing.";
    assert.deepEqual(texts, ["before", note, "one", "two"], "the numbers below it are new");
  });

  test("what waits outlives a reload and a sign-out, and is its writer's alone", async (t) => {
    let isCut = false;
    const { page } = await visit(t, {
      prepare: (page) =>
        page.routeWebSocket(/\/ws\/chat\//, (ws) => {
          const server = ws.connectToServer();
          const isLost = isCut;
          server.onMessage((text) => isLost || ws.send(text));
          ws.onMessage((text) => isCut || server.send(text));
        }),
    });
    await writeAll(page, ["one"]);
    await shows(page, ["one: acknowledged"], "this one has arrived");

    isCut = true;
    await writeAll(page, ["two"]);
    await shows(page, ["one: acknowledged", "two: sent"], "no answer comes");
    await page.reload();
    await shows(page, ["two: waiting"], "the page knows it at once");
    isCut = false;
    await press(page, "Sign in as somebody else");
    await enter(page, "ben");
    await shows(page, ["one"], "Ben gets what was said, and not what waits");
    await press(page, "Sign in as somebody else");
    await enter(page, "ana");

    await shows(page, ["one: acknowledged", "two: acknowledged"], "nobody had to type it again");
  });

  test("a part that is refused says why, and comes back", async (t) => {
    const env = { ...SECRET, CHAT_MAX_CONNECTIONS_PER_USER: "5" };
    const { page, url } = await visit(t, { env });
    const other = await openWindow(t, null, { beside: page });
    await other.goto(`${new URL(url).origin}/style.css`); // A page of the same origin.
    await other.evaluate(() => {
      window.others = [1, 2].map(() => new WebSocket("/api/v1/ws/users"));
    });
    const third = await openWindow(t, url, { beside: page });

    for (const part of ["#users-state", "#tasks-state"])
      await sees(third, part, "too many connections of yours", "five in all, and no sixth");
    const state = await third.locator("#tasks-state").textContent();
    assert.doesNotMatch(state, /We try again/, "there is a button for that");
    await other.close();
    await page.close();

    await sees(third, "#users-state", "Live:", "the users come back by themselves");
    await press(third, "Connect to the tasks again");
    await sees(third, "#tasks-state", "Live:", "there is room now");
  });

  test("whoever signs in as somebody else is gone at once", async (t) => {
    const open = new Set();
    const { page, url } = await visit(t, {
      prepare: (page) =>
        page.on("websocket", (socket) => {
          open.add(socket.url());
          socket.on("close", () => open.delete(socket.url()));
        }),
    });
    const ben = await openWindow(t, url);
    await enter(ben, "ben");
    await startTask(page, TEA, 60);
    await reaches(page, 1, 1);
    assert.equal(open.size, 3, "one socket for each part");

    await press(page, "Sign in as somebody else");

    await sees(ben, "#log .notice", "ana left.", "the chat is closed");
    await until(() => open.size === 0);
    assert.deepEqual([...open], [], "and so are the others");
    await page.reload();
    await sees(page, "#answer", "You are not signed in.", "a reload does not bring her back");
    await enter(page, "cem");
    await allLive(page, "cem");
    assert.equal(await page.locator("#tasks li").count(), 0, "and nothing of hers is left");
  });

  test("all can be done from the keyboard", async (t) => {
    const { url } = await visit(t);
    const page = await openWindow(t, url);
    const { keyboard } = page;
    const tab = async (times) => {
      for (let i = 0; i < times; i += 1) await keyboard.press("Tab");
    };

    await keyboard.type("ben");
    await tab(1);
    await keyboard.type(PASSWORDS.ben);
    await keyboard.press("Enter");
    await sees(page, "#state", "Connected as ben.", "Enter signs in");
    await keyboard.type("No mouse here.");
    await keyboard.press("Enter");
    await sees(page, "#log .sent", "No mouse here.", "and sends");
    await tab(2); // Send, Full name
    await keyboard.type("Jon");
    await tab(1);
    await keyboard.type("jon@example.org");
    await keyboard.press("Enter");
    await sees(page, "#users td", "Jon", "and adds");
    await tab(3); // Add user, Text, Seconds
    await keyboard.press("Enter");
    await reaches(page, 1, 2);
    await tab(2); // Start, Cancel
    await keyboard.press("Enter");
    await sees(page, "#tasks output", "Task 1 is cancelled.", "and cancels");
  });

  for (const colorScheme of ["light", "dark"]) {
    for (const width of [1200, 390]) {
      test(`fits into ${width} pixels, ${colorScheme}, for everybody`, async (t) => {
        const { page } = await visit(t, { colorScheme, viewport: { width, height: 800 } });
        const word = "wordwithoutend".repeat(6);
        await say(page, word);
        await addUser(page, word, `${"long".repeat(15)}@example.org`);
        await startTask(page, word, 0);
        await startTask(page, TEA, 60);
        await sees(page, "#log", word, "a long word in the chat");
        await sees(page, "#users td", word, "in the table");
        await sees(page, "#tasks output", word.slice(0, 40), "and in a result");
        await reaches(page, 2, 2);

        assert.deepEqual(await findings(page), [], "a page for everybody");
        for (const part of ["#log", "#users", "#tasks"])
          assert.equal(await overflow(page, part), 0, `${part}: no scrolling sideways`);

        await press(page, "Sign in as somebody else");
        assert.deepEqual(await findings(page), [], "the form, too");
      });
    }
  }

  test("a page that has received nothing for 20 seconds asks, and stays", async (t) => {
    const { page, frames } = await openWithClock(t, `${lesson.server.url}/${lesson.page}`);
    await enter(page, "ana");
    await allLive(page, "ana");
    await isQuiet(frames);
    frames.length = 0;
    const before = await lines(page); // What was said in other tests.

    await page.clock.fastForward(PING_AFTER - 5_000);
    assert.deepEqual(frames, [], "there is nothing to ask yet");
    await page.clock.fastForward(5_000);

    const answer = 'received {"type":"pong"}';
    await until(() => frames.filter((frame) => frame === answer).length === 3);
    const asked = frames.filter((frame) => frame !== answer).sort();
    const expected = ['{"action":"ping"}', '{"type":"ping"}', '{"type":"ping"}'];
    assert.deepEqual(asked, expected.map((ping) => `sent ${ping}`), "each socket asks");
    await page.clock.fastForward(PONG_WITHIN);
    await allLive(page, "ana");
    assert.deepEqual(await lines(page), before, "and that is no news for people");
  });

  test("a page whose server no longer answers finds out in all parts", async (t) => {
    const { proxy, page } = await openBehindProxy(t, lesson);
    await enter(page, "ben");
    await allLive(page, "ben");

    await cut(proxy);
    await page.clock.fastForward(PING_AFTER);
    // Then the clock stands still: a page connects again after a moment.
    const now = await page.evaluate(() => Date.now());
    await page.clock.pauseAt(now + PONG_WITHIN);

    await sees(page, "#log", "The server no longer answers.", "the chat");
    await sees(page, "#users-state", "Not live.", "the users");
    await sees(page, "#tasks-state", "Not live.", "the tasks");
  });
});
