import assert from "node:assert/strict";
import { describe, test } from "node:test";

import {
  closePolitely,
  fill,
  openWindow,
  overflow,
  press,
  sees,
  useBrowser,
} from "./browser.mjs";
import { findings } from "./everybody.mjs";
import { everyHeartbeat, fallSilent, openBehindProxy } from "./heartbeat.mjs";
import { LIMITS, NO_SERVER, answered, rejected, serve } from "./lesson.mjs";
import { start as startServer } from "./server.mjs";
import { PASSWORDS, enter } from "./users.mjs";

// Each server adds a listener, so that none outlives us. Here are many servers.
process.setMaxListeners(0);

const TEA = "Tea for two, and two for tea. ".repeat(20);

async function begin(page, text, seconds) {
  await fill(page, "Text", text);
  await fill(page, "Seconds that it should take", String(seconds));
  await press(page, "Start");
}

const says = (page, sentence) => page.locator("#tasks output", { hasText: sentence }).waitFor();
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

describe("lesson 17, long work", LIMITS, () => {
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

    await begin(page, TEA, 3);

    await reaches(page, 1, 10);
    const earlier = await percent(page, 1);
    await sees(page, "#tasks small", "s left", "the estimate");
    await reaches(page, 1, earlier + 10);
    await says(page, "Task 1 has finished: 140 words, 4 different ones.");
    assert.equal(await bar(page, 1).count(), 0, "there is nothing left to wait for");
  });

  test("cancel stops a task, and several run and wait at once", async (t) => {
    const { page } = await fresh(t);
    await enter(page, "ana");
    for (let i = 0; i < 3; i += 1) await begin(page, TEA, 60);
    await reaches(page, 2, 1);
    await says(page, "Task 3 waits until another one has ended.");

    await press(page, "Cancel task 1");

    await says(page, "Task 1 is cancelled.");
    await says(page, "Task 3 is running.");
    assert.equal(await page.locator("#tasks li").count(), 3, "all three are on the page");
  });

  test("a late subscriber sees all tasks, and the running one goes on", async (t) => {
    const { page } = await fresh(t);
    await enter(page, "ana");
    await begin(page, TEA, 0);
    await says(page, "Task 1 has finished: 140 words");
    await begin(page, TEA, 20);
    await reaches(page, 2, 4);

    await page.reload();
    await enter(page, "ana");

    await says(page, "Task 1 has finished: 140 words");
    await reaches(page, 2, 4);
  });

  test("a second window sees the same, and another person does not", async (t) => {
    const { page, url } = await fresh(t);
    const second = await openWindow(t, url);
    const ben = await openWindow(t, url);
    await enter(page, "ana");
    await enter(second, "ana");
    await enter(ben, "ben");

    await begin(page, TEA, 20);
    await reaches(second, 1, 4);
    await press(second, "Cancel task 1");

    await says(page, "Task 1 is cancelled.");
    assert.equal(await ben.locator("#tasks li").count(), 0, "Ben has no tasks");
  });

  test("what the server refuses is shown", async (t) => {
    const { page } = await fresh(t, { excused: [answered(409)] });
    await enter(page, "ana");

    for (let i = 0; i < 11; i += 1) await begin(page, TEA, 60);

    await sees(page, "#reply", "You have too many: cancel one.", "the server's sentence");
  });

  test("a wrong password is shown, and nobody gets in", async (t) => {
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
    await page.keyboard.press("Tab"); // Seconds
    await page.keyboard.press("Enter");
    await reaches(page, 1, 2);
    for (let i = 0; i < 2; i += 1) await page.keyboard.press("Tab"); // Start, Cancel

    await page.keyboard.press("Enter");

    await says(page, "Task 1 is cancelled.");
  });

  for (const colorScheme of ["light", "dark"]) {
    for (const width of [1200, 360]) {
      test(`fits into ${width} pixels, ${colorScheme}, for everybody`, async (t) => {
        const { page } = await fresh(t, { colorScheme, viewport: { width, height: 740 } });
        assert.deepEqual(await findings(page), [], "before somebody signs in");
        await enter(page, "ana");
        await begin(page, TEA, 0);
        await says(page, "Task 1 has finished");
        await begin(page, TEA, 60);
        await reaches(page, 2, 2);

        assert.deepEqual(await findings(page), [], "a page for everybody");
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

  test("a lost connection shows no old number, and comes back by itself", async (t) => {
    const { proxy, page } = await openBehindProxy(t, lesson);
    await enter(page, "ana");
    await begin(page, TEA, 60);
    await reaches(page, 1, 2);

    // In one look, because the page soon connects again.
    const noOldNumber = page.waitForFunction(() => {
      const at = (id) => document.querySelector(id);
      const isGone = at("#state").value.includes("The server no longer answers.");
      return isGone && at("#tasks").hidden && at("#talk").disabled;
    });
    await fallSilent(page, proxy, "ana");
    await noOldNumber;

    await page.clock.fastForward(31_000);

    await sees(page, "#state", "Connected as ana.", "a new connection");
    await says(page, "Task 1 is running.");
    await reaches(page, 1, (await percent(page, 1)) + 2);
  });

  test("when the server stops the page says so, and the tasks are gone", async (t) => {
    const { server, page } = await fresh(t, {
      excused: [NO_SERVER, rejected(401), answered(401)],
    });
    await enter(page, "ana");
    await begin(page, TEA, 60);
    await reaches(page, 1, 1);

    await server.end("SIGINT");
    await page.locator("#tasks").waitFor({ state: "hidden" }); // Nobody works on it.

    const next = await startServer(lesson.name, server.port);
    t.after(() => next.stop());
    await sees(page, "#answer", "Sign in again: this token is not valid.", "it tries again");
    await enter(page, "ana");
    assert.equal(await page.locator("#tasks li").count(), 0, "nobody worked on them");
  });
});
