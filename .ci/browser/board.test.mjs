// The board of a class: what the projector shows, and the page behind the QR code.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";

import { Rows, isSolved, labels, sentence, time } from "../../exercises/board/pages/rows.js";
import { openWindow, overflow, sees, useBrowser } from "./browser.mjs";
import { findings } from "./everybody.mjs";
import { join } from "./learner.mjs";
import { LIMITS, NO_SERVER } from "./lesson.mjs";
import { start } from "./server.mjs";

const SCREEN = { viewport: { width: 1920, height: 1080 } };

const row = (name, seconds, away = null) => ({
  name,
  exercises: {},
  current: { exercise: "warm_up_01", step: "step_1_a", seconds },
  away,
});
const names = (rows, order) => rows.sorted(order).map(({ name }) => name);

describe("what the page knows", () => {
  test("those who have been at one step for the longest time come first", () => {
    let now = 0;
    const rows = new Rows(() => now);
    const learners = [row("ana", 10), row("ben", 700), row("cem", 5000, 60), row("dan", 300)];
    learners.push({ ...row("eve", 0), current: null });
    rows.apply({ type: "snapshot", version: 7, exercises: [], addresses: [], learners });

    assert.deepEqual(names(rows, "help"), ["ben", "dan", "ana", "eve", "cem"]);
    assert.deepEqual(names(rows, "name"), ["ana", "ben", "cem", "dan", "eve"]);
    now = 600;
    const [ben, dan, , , cem] = rows.sorted("help");
    assert.deepEqual([ben.seconds, ben.help], [1300, "stuck"], "the time goes on");
    assert.deepEqual([dan.seconds, dan.help], [900, "slow"], "and it is time to ask");
    assert.deepEqual([cem.seconds, cem.help, cem.away], [5000, "", 660], "but not for Cem");
  });

  test("an event that is missing is noticed", () => {
    const rows = new Rows(() => 0);
    rows.apply({ type: "snapshot", version: 7, exercises: [], addresses: [], learners: [] });

    assert.equal(rows.apply({ type: "learner", version: 8, learner: row("ana", 1) }), true);
    assert.equal(rows.apply({ type: "removed", version: 9, name: "ana" }), true);
    assert.equal(rows.apply({ type: "learner", version: 11, learner: row("ben", 1) }), false);
    assert.deepEqual(names(rows, "name"), [], "it needs a new snapshot");
  });

  test("words are for people", () => {
    const exercises = [{ name: "warm_up_01" }, { name: "private_messaging" }];
    assert.deepEqual(labels(exercises).map(({ short }) => short), ["W1", "1"]);
    assert.equal(sentence("step_2_it_counts_all"), "step 2: it counts all");
    assert.equal(sentence("other"), "other");
    assert.deepEqual([30, 60, 3599, 3660].map(time), ["< 1 min", "1 min", "59 min", "1 h 1 min"]);
    assert.equal(isSolved({ exercises: { a: { passed: 0, steps: 0 } } }, "a"), false);
  });
});

describe("the board", LIMITS, () => {
  let board;
  useBrowser();
  before(async () => {
    board = await start("board");
  });
  after(() => board?.stop());

  test("the table fills while one looks on, and names are text", async (t) => {
    const page = await openWindow(t, board.url, SCREEN);
    await sees(page, "#state", "Live", "the page is connected");
    await sees(page, "#summary", "Nobody has joined yet", "and shows an empty class");
    await sees(page, "#command", `--class ${board.url} --name ana`, "it says how to join");

    const ana = await join(board, "ana");
    const eve = await join(board, "<b>eve</b>");
    const names = ["Ünal", "أمينة"];
    for (const name of names) await join(board, name);
    for (const name of names) await sees(page, "#learners th", name, "every script is welcome");
    ana.report({ warm_up_01: [4, 0], warm_up_02: [1, 2] }, "warm_up_02", "step_2_it_ends", 650);

    await sees(page, "tr.slow .time", "10 min", "Ana has been at one step for long");
    await sees(page, "tr.slow .step", "Warm-up 2, step 2: it ends", "and this is the step");
    await sees(page, "#help", "May need help: ana", "so the page says her name");
    await sees(page, "td.solved", "✓", "what is solved has a sign");
    await sees(page, "td.begun", "1/3", "what is begun has numbers");
    await sees(page, "#summary", "3 learners: 1 of 57 solved", "the bar is for the class");
    assert.equal(await page.locator("#learners b").count(), 0, "markup is no name");
    assert.equal(await overflow(page, "#class"), 0, "all of it fits on the screen");
    assert.deepEqual(await findings(page), [], "a page for everybody");

    ana.vanish();
    await sees(page, "tr.away .name", "ana", "who is gone stays in the table");
    await page.getByLabel("By name").check();
    assert.equal(await page.locator("#learners th").first().textContent(), "ana", "sorted");
    eve.vanish();
  });

  test("the head of a long table stays in sight", async (t) => {
    const full = await start("board");
    t.after(() => full.stop());
    const page = await openWindow(t, full.url, SCREEN);
    await sees(page, "#state", "Live", "the page is connected");
    const tooHigh = () =>
      page.evaluate(() => document.documentElement.scrollHeight - window.innerHeight);
    assert.equal(await tooHigh(), 0, "an empty class fits on the screen");

    for (let i = 1; i <= 40; i += 1) await join(full, `learner-${i}`);
    await sees(page, "#summary", "40 learners", "all have joined");
    assert.equal(await tooHigh(), 0, "the page does not grow with the class");
    const top = () => page.locator("thead").evaluate((head) => head.getBoundingClientRect().top);
    const before = await top();
    const moved = await page.locator("#class").evaluate((main) => {
      main.scrollTo(0, main.scrollHeight);
      return main.scrollTop;
    });
    assert.notEqual(moved, 0, "the table scrolls");
    assert.equal(await top(), before, "and its head stays where it is");
  });

  test("whatever a board sends, a page shows text", async (t) => {
    const learner = row('<img src="x" onerror="document.title = 1">', 700);
    learner.current = { exercise: "<i>a</i>", step: "<b>step</b>", seconds: 700 };
    const exercises = [{ name: "<i>a</i>", title: "<u>" }];
    const page = await openWindow(t, "", {
      prepare: (page) =>
        page.routeWebSocket("**/ws/page", (socket) => {
          const learners = [learner];
          const addresses = ["http://127.0.0.1:1/<s>"];
          socket.send(
            JSON.stringify({ type: "snapshot", version: 1, addresses, exercises, learners }),
          );
        }),
    });
    await page.goto(board.url);

    await sees(page, "#learners th", "<img src=", "the name is text");
    await sees(page, "#help bdi", "<img src=", "and so it is above the table");
    assert.equal(await page.locator(":is(img, i, b, u, s):visible").count(), 0, "no markup");
    assert.equal(await page.title(), "The class", "and no script of a stranger runs");
  });

  test("a class that joins at once is drawn in a few steps", async (t) => {
    const exercises = [{ name: "warm_up_01", title: "a" }];
    const page = await openWindow(t, "", {
      prepare: async (page) => {
        await page.addInitScript(() => {
          globalThis.drawn = 0;
          addEventListener("DOMContentLoaded", () => {
            const observer = new MutationObserver(() => (globalThis.drawn += 1));
            observer.observe(document.querySelector("#learners"), { childList: true });
          });
        });
        await page.routeWebSocket("**/ws/page", (socket) => {
          const send = (message) => socket.send(JSON.stringify(message));
          send({ type: "snapshot", version: 0, addresses: [], exercises, learners: [] });
          for (let version = 1; version <= 190; version += 1)
            send({ type: "learner", version, learner: row(`learner-${version}`, 1) });
        });
      },
    });
    await page.goto(board.url);

    await sees(page, "#summary", "190 learners", "all of them are shown");
    const drawn = await page.evaluate(() => globalThis.drawn);
    assert.ok(drawn < 95, `190 events have changed the table ${drawn} times`);
  });

  test("the longest address does not run under the QR code", async (t) => {
    const addresses = [
      "http://[2001:db8:1234:5678:9abc:def0:1234:5678]:8000",
      "http://[2001:db8::1]:8000",
    ];
    const snapshot = { type: "snapshot", version: 1, addresses, exercises: [], learners: [] };
    const page = await openWindow(t, "", {
      viewport: { width: 1024, height: 768 },
      prepare: async (page) => {
        await page.routeWebSocket("**/ws/page", (socket) => socket.send(JSON.stringify(snapshot)));
        const body = '<svg xmlns="http://www.w3.org/2000/svg"/>';
        await page.route("**/qr.svg*", (it) => it.fulfill({ contentType: "image/svg+xml", body }));
      },
    });
    await page.goto(board.url);
    await sees(page, "#command", addresses[0], "the page shows where to join");

    const [text, code] = await page.evaluate(() => {
      const range = document.createRange();
      range.selectNodeContents(document.querySelector("#command"));
      const right = Math.max(...[...range.getClientRects()].map((line) => line.right));
      return [right, document.querySelector("#code").getBoundingClientRect().left];
    });
    assert.ok(text <= code, `the command ends at ${text} px, and the code begins at ${code} px`);
    await page.setViewportSize({ width: 390, height: 844 });
    assert.equal(await overflow(page, "aside"), 0, "it fits on a phone, too");
  });

  test("a narrow window shows text that one can read", async (t) => {
    const page = await openWindow(t, board.url, { viewport: { width: 390, height: 844 } });
    const ben = await join(board, "ben");
    ben.report({ warm_up_01: [1, 2] }, "warm_up_01", "step_2_it_ends", 10);
    await sees(page, "td.time", "< 1 min", "Ben has begun");

    const small = await page.evaluate(() =>
      [...document.querySelectorAll("body *:not(.spoken)")]
        .filter((element) => element.checkVisibility() && element.innerText?.trim())
        .filter((element) => parseFloat(getComputedStyle(element).fontSize) < 11)
        .map((element) => element.outerHTML.slice(0, 80)),
    );
    assert.deepEqual(small, [], "no text is smaller than 11 px");
    const tooLong = await page.evaluate(() =>
      [...document.querySelectorAll("#learners td")]
        .filter((cell) => cell.scrollWidth > cell.clientWidth && !cell.matches(".step"))
        .map((cell) => cell.innerText),
    );
    assert.deepEqual(tooLong, [], "no cell is drawn over the next one");
    ben.vanish();
  });

  test("a board that starts anew has its page back", async (t) => {
    const first = await start("board");
    t.after(() => first.stop());
    const page = await openWindow(t, first.url, { ...SCREEN, excused: [NO_SERVER] });
    await join(first, "ana");
    await sees(page, "#learners th", "ana", "Ana is there");

    await first.stop();
    await sees(page, "#state", "Not connected (1006)", "the page says what it shows");
    const second = await start("board", first.port);
    t.after(() => second.stop());

    await sees(page, "#state", "Live", "it is connected again");
    await sees(page, "#summary", "Nobody has joined yet", "and shows what the board knows");
  });

  test("a phone shows the command, for the name that one types", async (t) => {
    const options = { viewport: { width: 320, height: 740 }, colorScheme: "dark" };
    const page = await openWindow(t, `${board.url}/join`, options);

    await page.getByLabel("Your name").fill("ben");
    await sees(page, "#command", `--class ${board.url} --name ben`, "the address is the page's");
    await page.getByLabel("Your name").fill("b n");
    await sees(page, "#wrong", "1 to 20 letters", "it says what is wrong");

    await page.getByLabel("Your name").fill("an\u3164a");
    await sees(page, "#wrong", "1 to 20 letters", "nobody can see this one");
    await page.getByLabel("Your name").fill("ana");
    const [copied, heights] = await page.locator("#command").evaluate((command) => {
      getSelection().selectAllChildren(command);
      const heights = [...command.children].map((part) => part.offsetHeight);
      return [getSelection().toString(), [...new Set(heights)]];
    });
    assert.equal(copied, `cargo course watch --class ${board.url} --name ana`);
    assert.equal(heights.length, 1, "no line ends between an option and its value");

    assert.equal(await overflow(page, "main"), 0, "nobody should have to scroll sideways");
    assert.deepEqual(await findings(page), [], "a page for everybody");
  });
});
