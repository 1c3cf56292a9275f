import assert from "node:assert/strict";
import { rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, test } from "node:test";

import { fill, openWindow, overflow, press, sees, useBrowser } from "./browser.mjs";
import { findings } from "./everybody.mjs";
import { everyHeartbeat } from "./heartbeat.mjs";
import { LIMITS, answered, everyPage, serve } from "./lesson.mjs";
import { start } from "./server.mjs";
import { enter, login } from "./users.mjs";

let count = 0;

/** Adds a user with an address that nobody else has. */
async function add(page, text, phone = "") {
  const name = text.slice(0, 100); // No name is longer.
  count += 1;
  await press(page, "New user");
  await fill(page, "Full name", name);
  await fill(page, "E-mail", `user${count}@example.org`);
  await fill(page, "Phone", phone);
  await press(page, "Save");
  await sees(page, "#users td", name, `${name} is in the table`);
}

const row = (page, name) => page.locator("#users tbody tr", { hasText: name });
const gone = (locator) => locator.waitFor({ state: "detached" });

async function pressFor(page, name, button) {
  await row(page, name).getByRole("button", { name: button }).click();
}

describe("lesson 15, a list in a database", LIMITS, () => {
  useBrowser();
  const lesson = serve("lesson_15_database");
  everyPage(lesson, {
    enter,
    login,
    path: "/api/v1/ws/users",
    reconnects: true,
    say: add,
  });
  everyHeartbeat(lesson, '{"action":"ping"}');

  test("what one person changes, the other sees, with its owner", async (t) => {
    const ana = await lesson.open(t);
    const ben = await lesson.open(t);
    await enter(ana, "ana");
    await enter(ben, "ben");

    await add(ana, "Dora", "030 123");
    await sees(ben, "#users tr.changed td", "Dora", "Ben sees her, and that she is new");
    await sees(ben, "#users tr.changed small", "030 123", "her telephone number");
    await sees(ben, "#users tr.changed td:nth-child(2)", "ana", "and whose row it is");

    await pressFor(ana, "Dora", "Edit");
    await fill(ana, "Full name", "Theodora");
    await fill(ana, "Phone", "");
    await press(ana, "Save");
    await sees(ben, "#users tr.changed td", "Theodora", "Ben sees the new name");
    const small = await row(ben, "Theodora").locator("small").textContent();
    assert.doesNotMatch(small, /030/, "and that there is no number any more");

    await pressFor(ana, "Theodora", "Delete");
    await gone(row(ben, "Theodora"));
    await sees(ben, "#log", "deleted", "and the event");
  });

  test("each fault is shown beside its field, and what was typed stays", async (t) => {
    const page = await lesson.open(t, { excused: [answered(422), answered(409)] });
    await enter(page, "ana");
    await add(page, "Emil");
    await press(page, "New user");

    await press(page, "Save");
    await sees(page, '[data-field="name"]', "name is missing", "a user needs a name");
    await fill(page, "Full name", "Fay");
    await fill(page, "E-mail", "fay@example");
    await press(page, "Save");
    await sees(page, '[data-field="email"]', "looks like ana@example.org", "no address");
    const name = page.locator('[data-field="name"]');
    assert.equal(await name.textContent(), "", "the name is fine now");
    await fill(page, "E-mail", `USER${count}@example.org`);
    await press(page, "Save");
    await sees(page, '[data-field=""]', "Another user has this e-mail address.", "Emil's");
    assert.equal(await page.getByLabel("Full name").inputValue(), "Fay", "it is still there");
    assert.deepEqual(await findings(page), [], "it can be read out");

    await press(page, "Cancel");
  });

  test("an answer that comes too late does not appear in the next form", async (t) => {
    let answer;
    const page = await lesson.open(t, {
      excused: [answered(422)],
      prepare: (page) =>
        page.route("**/api/v1/users", async (route) => {
          const isPost = route.request().method() === "POST";
          if (isPost) await new Promise((resolve) => (answer = resolve)); // It takes its time.
          await route.continue();
        }),
    });
    await enter(page, "ana");
    await press(page, "New user");
    await press(page, "Save");
    while (!answer) await page.waitForTimeout(20);
    await press(page, "Cancel");
    await press(page, "New user");

    const late = page.waitForResponse((response) => response.status() === 422);
    answer();
    await (await late).finished();
    await page.evaluate(async () => (await fetch("/api/v1/users")).json());

    const name = page.locator('[data-field="name"]');
    assert.equal(await name.textContent(), "", "nobody has saved this form yet");
    await press(page, "Cancel");
    await page.unroute("**/api/v1/users");
  });

  test("the row of another person cannot be changed", async (t) => {
    const ana = await lesson.open(t);
    const ben = await lesson.open(t, { excused: [answered(403)] });
    await enter(ana, "ana");
    await enter(ben, "ben");
    await add(ana, "Gus");
    await sees(ben, "#users td", "Gus", "Ben sees him");

    await pressFor(ben, "Gus", "Edit");
    await fill(ben, "Full name", "Gustav");
    await press(ben, "Save");
    await sees(ben, '[data-field=""]', "Only its owner may change user", "the server says no");
    await press(ben, "Cancel");
    await pressFor(ben, "Gus", "Delete");
    await sees(ben, "#answer-to-delete", "Only its owner may change user", "nor delete");
    await press(ben, "New user");
    await press(ben, "Cancel");
    const answer = ben.locator("#answer-to-delete");
    assert.equal(await answer.textContent(), "", "it was not about a new user");

    await sees(ana, "#users td", "Gus", "he is as he was");
  });

  test("with a file, everything is there again after the server has ended", async (t) => {
    const file = join(tmpdir(), `lesson-15-${process.pid}.db`);
    t.after(() => ["", "-wal", "-shm"].forEach((end) => rmSync(file + end, { force: true })));
    const first = await start(lesson.name, 0, { DATABASE: file });
    t.after(() => first.stop());
    const page = await openWindow(t, `${first.url}/${lesson.page}`);
    await enter(page, "ana");
    await add(page, "Hana");
    await page.close();
    await first.stop();

    const second = await start(lesson.name, 0, { DATABASE: file });
    t.after(() => second.stop());
    const again = await openWindow(t, `${second.url}/${lesson.page}`);
    await enter(again, "ana");

    await sees(again, "#users td", "Hana", "she was in the file");
  });

  test("a long name breaks neither the table nor a button", async (t) => {
    const page = await lesson.open(t, { viewport: { width: 360, height: 740 } });
    await enter(page, "ana");
    await add(page, "Wordwithoutend".repeat(7), "0".repeat(100));

    assert.equal(await overflow(page, "#users"), 0, "nobody should have to scroll sideways");
    const long = row(page, "Wordwithoutend").last();
    for (const button of await long.getByRole("button").all())
      assert.equal((await button.boundingBox()).height, 32, "one line");
  });
});
