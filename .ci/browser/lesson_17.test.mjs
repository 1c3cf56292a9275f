import assert from "node:assert/strict";
import { describe, test } from "node:test";

import {
  closePolitely,
  fill,
  openWindow,
  overflow,
  press,
  sees,
  serious,
  useBrowser,
} from "./browser.mjs";
import { PASSWORDS, enter } from "./users.mjs";
import { everyHeartbeat, fallSilent, openBehindProxy } from "./heartbeat.mjs";
import { NO_SERVER, answered, rejected, serve } from "./lesson.mjs";
import { start as startServer } from "./server.mjs";

const LIMITS = { timeout: 120_000 };
// Each server adds a listener, so that none outlives us. Here are many servers.
process.setMaxListeners(0);

const TEA = "Tea for two, and two for tea. ".repeat(20);

async function order(page, text, seconds) {
  await fill(page, "Text", text);
  await fill(page, "Seconds that it should take", String(seconds));
  await press(page, "Start");
}

const task = (page, id) =>
  page.locator("#tasks li").filter({ has: page.getByText(`Task ${id}`, { exact: true }) });
const bar = (page, id) => page.getByRole("progressbar", { name: `Task ${id}` });
const percent = async (page, id) => Number(await bar(page, id).getAttribute("value"));

/** Waits until a task has come so far. */
async function reaches(page, id, share) {
  const there = ([id, share]) =>
    [...document.querySelectorAll("progress")].some(
      ({ ariaLabel, value }) => ariaLabel === `Task ${id}` && value >= share,
    );
  await page.waitForFunction(there, [id, share]).catch(() => {
    assert.fail(`the page should show that task ${id} has come to ${share} per cent`);
  });
}

describe("lesson 17, tasks", LIMITS, () => {
  useBrowser();
  const lesson = serve("lesson_17_tasks");
  everyHeartbeat(lesson);

  /** A window of its own server, where nobody has started a task yet. */
  const fresh = async (t, options) => {
    const server = await startServer(lesson.name);
    const url = `${server.url}/${lesson.page}`;
    const page = await openWindow(t, url, options);
    t.after(() => server.stop()); // After the windows, which would ask what has happened.
    return { server, page, url };
  };

  test("the landing page names the lesson and leads to its page", async (t) => {
    const page = await openWindow(t, lesson.server.url);

    await sees(page, "code", lesson.name, "the landing page names the package");
    await page.locator("a.button").click();

    await page.waitForURL(`**/${lesson.page}`);
    assert.match(await page.title(), /^Lesson 17: /, "we are on the lesson's page");
  });

  test("a bar moves, with per cent and an estimate, until the result is there", async (t) => {
    const { page } = await fresh(t);
    await enter(page, "ana");

    await order(page, TEA, 3);

    await reaches(page, 1, 10);
    const earlier = await percent(page, 1);
    await sees(page, "#tasks small", "s left", "the estimate");
    await reaches(page, 1, earlier + 10);
    await sees(page, "#tasks output", "Finished: 140 words, 4 different ones.", "the end");
    await sees(page, "#tasks output", "tea (40)", "the most frequent words");
    assert.equal(await bar(page, 1).count(), 0, "there is nothing left to wait for");
  });

  test("cancel stops a task, and several run and wait at once", async (t) => {
    const { page } = await fresh(t);
    await enter(page, "ana");
    for (let i = 0; i < 3; i += 1) await order(page, TEA, 60);
    await reaches(page, 2, 1);
    await task(page, 3).getByText("Waits for its turn.").waitFor();

    await press(page, "Cancel task 1");

    await task(page, 1).getByText("Cancelled.").waitFor();
    await task(page, 3).getByText("Is running.").waitFor();
    assert.equal(await page.locator("#tasks li").count(), 3, "all three are on the page");
  });

  test("after a reload the page shows all tasks again, and the running one goes on", async (t) => {
    const { page } = await fresh(t);
    await enter(page, "ana");
    await order(page, TEA, 0);
    await sees(page, "#tasks output", "Finished: 140 words", "the first one has ended");
    await order(page, TEA, 20);
    await reaches(page, 2, 4);

    await page.reload();

    await sees(page, "#state", "Connected as ana.", "nobody has to sign in again");
    await sees(page, "#tasks output", "Finished: 140 words", "the result is still there");
    await reaches(page, 2, 4);
  });

  test("a second window sees the same, and another person does not", async (t) => {
    const { page, url } = await fresh(t);
    const second = await openWindow(t, url);
    const ben = await openWindow(t, url);
    await enter(page, "ana");
    await enter(second, "ana");
    await enter(ben, "ben");

    await order(page, TEA, 20);
    await reaches(second, 1, 4);
    await press(second, "Cancel task 1");

    await task(page, 1).getByText("Cancelled.").waitFor();
    assert.equal(await ben.locator("#tasks li").count(), 0, "Ben has no tasks");
  });

  test("a file can be chosen in place of a text", async (t) => {
    const { page } = await fresh(t);
    await enter(page, "ana");

    await page.getByLabel("or a file with a text").setInputFiles({
      name: "figs.txt",
      mimeType: "text/plain",
      buffer: Buffer.from("Figs for Cem, and <b>figs</b> for Zoë"),
    });
    await page.waitForFunction(() => document.querySelector("textarea").value.includes("Zoë"));
    await fill(page, "Seconds that it should take", "0");
    await press(page, "Start");

    await sees(page, "#tasks output", "figs (2), for (2), and (1)", "the file was counted");
    assert.equal(await page.locator("#tasks :is(b, img)").count(), 0, "markup stays text");
  });

  test("what the server refuses is told", async (t) => {
    const { page } = await fresh(t, { excused: [answered(413), answered(429)] });
    await enter(page, "ana");

    await order(page, "x".repeat(1024 * 1024 + 1), 10);
    await sees(page, "#reply", "This text is too long", "the server's sentence");

    for (let i = 0; i < 6; i += 1) await order(page, TEA, 60);
    await sees(page, "#reply", "5 of your tasks are unfinished", "and what to do about it");
    await press(page, "Cancel task 1");
    await page.waitForFunction(() => document.querySelector("#reply").value === "");
  });

  test("a wrong password is told, and nobody gets in", async (t) => {
    const page = await lesson.open(t, { excused: [answered(401)] });
    await fill(page, "Name", "ana");
    await fill(page, "Password", "ana-likes-coffee");

    await press(page, "Sign in");

    await sees(page, "#answer", "Wrong name or password.", "the server's sentence");
    assert.equal(await page.locator("#work").isVisible(), false, "and nothing opens");
  });

  test("all can be done from the keyboard", async (t) => {
    const { page } = await fresh(t);
    await page.keyboard.type("ana");
    await page.keyboard.press("Tab");
    await page.keyboard.type(PASSWORDS.ana);
    await page.keyboard.press("Enter");
    await sees(page, "#state", "Connected as ana.", "Enter signs in");
    await page.keyboard.type("Tea, and more tea. ");
    for (let i = 0; i < 2; i += 1) await page.keyboard.press("Tab"); // File, Seconds
    await page.keyboard.press("Enter");
    await reaches(page, 1, 2);
    for (let i = 0; i < 2; i += 1) await page.keyboard.press("Tab"); // Start, Cancel

    await page.keyboard.press("Enter");

    await task(page, 1).getByText("Cancelled.").waitFor();
  });

  for (const colorScheme of ["light", "dark"]) {
    for (const width of [1200, 360]) {
      test(`fits into ${width} pixels, ${colorScheme}, and axe finds nothing serious`, async (t) => {
        const { page } = await fresh(t, { colorScheme, viewport: { width, height: 740 } });
        assert.deepEqual(await serious(page), [], "before somebody signs in");
        await enter(page, "ana");
        await order(page, "wordwithoutend".repeat(30), 0);
        await order(page, TEA, 60);
        await sees(page, "#tasks output", "wordwithoutend", "a long word is on the page");
        await reaches(page, 2, 2);

        assert.deepEqual(await serious(page), [], "a page for everybody");
        assert.equal(await overflow(page, "#tasks"), 0, "nobody should have to scroll sideways");
      });
    }
  }

  test("a socket that is closed politely ends cleanly, with 1000", async (t) => {
    const { page } = await fresh(t);
    await enter(page, "ana");

    const ending = await closePolitely(page, "/ws/tasks");

    assert.deepEqual(ending, { code: 1000, wasClean: true }, "the handshake was complete");
  });

  test("when the server no longer answers one can connect again", async (t) => {
    const { proxy, page } = await openBehindProxy(t, lesson);
    await enter(page, "ana");
    await order(page, TEA, 60);
    await task(page, 1).waitFor();
    await fallSilent(page, proxy, "ana");
    await sees(page, "#state", "The server no longer answers.", "the page gives up");
    const cancel = page.getByRole("button", { name: "Cancel task" });
    assert.equal(await cancel.isDisabled(), true, "there is no connection for it");

    await press(page, "Connect again");

    await sees(page, "#state", "Connected as ana.", "a new connection works");
    await press(page, "Cancel task 1");
    await task(page, 1).getByText("Cancelled.").waitFor();
  });

  test("when the server dies the page says so, and the tasks are gone", async (t) => {
    const { server, page } = await fresh(t, {
      excused: [NO_SERVER, rejected(401), answered(401)],
    });
    await enter(page, "ana");
    await order(page, TEA, 60);
    await reaches(page, 1, 1);

    await server.stop();
    const sentence = "No server answers. Start it, and connect again.";
    await sees(page, "#state", sentence, "the page has asked over HTTP");

    const next = await startServer(lesson.name, server.port);
    t.after(() => next.stop());
    await press(page, "Connect again");
    await sees(page, "#answer", "Sign in again: this token is not valid.", "it says why");
    await page.reload();
    await sees(page, "#answer", "Sign in again: this token is not valid.", "each time");
    await enter(page, "ana");
    assert.equal(await page.locator("#tasks li").count(), 0, "nobody worked on them");
  });
});
