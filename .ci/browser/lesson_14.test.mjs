import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { fill, overflow, press, say, sees, useBrowser } from "./browser.mjs";
import { enter, login } from "./users.mjs";
import { everyHeartbeat } from "./heartbeat.mjs";
import { LIMITS, answered, everyPage, serve } from "./lesson.mjs";

describe("lesson 14, live data", LIMITS, () => {
  useBrowser();
  const lesson = serve("lesson_14_live_data");
  everyPage(lesson, {
    enter,
    login,
    path: "/api/v1/ws/users",
    reconnects: true,
  });
  everyHeartbeat(lesson, '{"action":"ping"}');

  /** Adds a user whose name and address nobody else has. */
  let count = 0;
  const addUser = async (page, name) => {
    count += 1;
    await fill(page, "Full name", name);
    await fill(page, "E-mail", `user${count}@example.org`);
    await press(page, "Add user");
    await sees(page, "#users td", name, `${name} is in the table`);
    return page.locator("#users tbody tr", { hasText: name });
  };
  const gone = (row) => row.waitFor({ state: "detached" });

  test("what one window changes, the other shows and marks", async (t) => {
    const ana = await lesson.open(t);
    const ben = await lesson.open(t);
    await enter(ana, "ana");
    await enter(ben, "ben");

    const dora = await addUser(ana, "Dora");
    await sees(ben, "#users tr.changed td", "Dora", "Ben sees her, and that she is new");

    await dora.getByRole("button", { name: "Rename" }).click();
    await fill(ana, "New name", "Theodora");
    await ana.getByRole("dialog").getByRole("button", { name: "Rename" }).click();
    await sees(ben, "#users tr.changed td", "Theodora", "Ben sees the new name");
    await sees(ben, "#log", "user", "and the event");

    const row = ben.locator("#users tbody tr", { hasText: "Theodora" });
    await row.getByRole("button", { name: "Delete" }).click();
    await gone(ana.locator("#users tbody tr", { hasText: "Theodora" }));
  });

  test("posts are live, too, and keep their author in the table", async (t) => {
    const ana = await lesson.open(t, { excused: [answered(409)] });
    const ben = await lesson.open(t);
    await enter(ana, "ana");
    await enter(ben, "ben");
    const emil = await addUser(ana, "Emil");

    await ana.getByLabel("Author").selectOption({ label: "Emil" });
    await fill(ana, "Title", "On tea");
    await press(ana, "Add post");
    await sees(ben, "#posts tr.changed td", "On tea", "Ben sees the post");
    await sees(ben, "#posts tr.changed td", "Emil", "and who wrote it");

    await emil.getByRole("button", { name: "Delete" }).click();
    await sees(ana, "#log .problem", "delete the posts first", "the page says why not");
  });

  test("a mistake is told, and what was typed stays", async (t) => {
    const page = await lesson.open(t, { excused: [answered(422)] });
    await enter(page, "ana");

    await fill(page, "Full name", "Fay");
    await fill(page, "E-mail", "fay@example");
    await press(page, "Add user");

    await sees(page, "#log .problem", "email: an e-mail address looks like", "it says why");
    assert.equal(await page.getByLabel("E-mail").inputValue(), "fay@example");
  });

  test("a page that was away loads the list again, and misses nothing", async (t) => {
    const ana = await lesson.open(t, {
      excused: [/ERR_INTERNET_DISCONNECTED/],
      prepare: (page) =>
        page.addInitScript(() => {
          // Lets the test end connections: no browser offers that for a WebSocket.
          const Real = WebSocket;
          window.sockets = [];
          window.WebSocket = class extends Real {
            constructor(...all) {
              super(...all);
              window.sockets.push(this);
            }
          };
        }),
    });
    const ben = await lesson.open(t);
    await enter(ana, "ana");
    await enter(ben, "ben");
    const gus = await addUser(ben, "Gus");
    await sees(ana, "#users td", "Gus", "Ana sees Gus");

    await ana.context().setOffline(true);
    await ana.evaluate(() => window.sockets.forEach((socket) => socket.close(1000)));
    await sees(ana, "#state", "We try again.", "the page says that it is away");
    await gus.getByRole("button", { name: "Delete" }).click();
    await gone(gus);
    await addUser(ben, "Hana");
    await ana.context().setOffline(false);

    await sees(ana, "#state", "Connected as ana.", "she is back");
    await sees(ana, "#users td", "Hana", "and sees who came meanwhile");
    await gone(ana.locator("#users tbody tr", { hasText: "Gus" }));
  });

  test("something that is said reaches the other window as a custom event", async (t) => {
    const ana = await lesson.open(t);
    const ben = await lesson.open(t);
    await enter(ana, "ana");
    await enter(ben, "ben");

    await say(ana, "I am editing Emil.");

    await sees(ben, "#log .received", "I am editing Emil.", "Ben sees it");
    await sees(ben, "#log .received small", "note from ana", "and whose it is");
  });

  test("a post shows the new name of its author", async (t) => {
    const page = await lesson.open(t);
    await enter(page, "ana");
    const ida = await addUser(page, "Ida");
    await page.getByLabel("Author").selectOption({ label: "Ida" });
    await fill(page, "Title", "On jam");
    await press(page, "Add post");
    await sees(page, "#posts tr.changed td", "Ida", "the post is hers");

    await ida.getByRole("button", { name: "Rename" }).click();
    const name = page.getByLabel("New name");
    assert.equal(await name.inputValue(), "Ida", "the old name is a good beginning");
    await page.keyboard.press("ArrowRight"); // The whole name is selected. Go behind it.
    await page.keyboard.type(" May");
    await page.keyboard.press("Enter");

    await sees(page, "#posts td", "Ida May", "the post has her new name");
  });

  test("a list that came before the users gets their names when they come", async (t) => {
    const page = await lesson.open(t, {
      prepare: (page) =>
        page.route("**/api/v1/users?*", async (route) => {
          await page.locator("#posts td", { hasText: "user " }).first().waitFor();
          await route.continue();
        }),
    });
    await login(page);
    await page.evaluate(async () => {
      const post = (path, body) =>
        fetch(`/api/v1${path}`, {
          method: "POST",
          headers: { "Content-Type": "application/json" },
          body: JSON.stringify(body),
        }).then((reply) => reply.json());
      const { id } = await post("/users", { name: "Jon", email: "jon@example.org" });
      await post("/posts", { user_id: id, title: "On figs", body: "" });
    });

    await enter(page, "ana");

    await sees(page, "#posts td", "Jon", "the author has a name");
  });

  test("the page says so when one of its two tables is away", async (t) => {
    const page = await lesson.open(t);
    await login(page);
    await page.evaluate(() => {
      window.others = [1, 2, 3, 4].map(() => new WebSocket("/api/v1/ws/users"));
    });
    await fill(page, "Name", "ana");
    await fill(page, "Password", "ana-likes-tea");
    await press(page, "Sign in");

    await sees(page, "#state", "too many connections of yours", "five in all, and no sixth");
    assert.equal(await page.getByLabel("Say").isDisabled(), true, "it is not all there");
    await page.evaluate(() => window.others.forEach((socket) => socket.close(1000)));
    await sees(page, "#state", "Connected as ana.", "now there is room");
  });

  test("the keyboard stays where it is when others change a row", async (t) => {
    const ana = await lesson.open(t);
    const ben = await lesson.open(t);
    await enter(ana, "ana");
    await enter(ben, "ben");
    const kim = await addUser(ana, "Kim");
    await addUser(ana, "Leo");
    await sees(ben, "#users td", "Leo", "Ben sees both");
    const leo = ben.locator("#users tbody tr", { hasText: "Leo" });
    await leo.getByRole("button", { name: "Delete" }).focus();

    await kim.getByRole("button", { name: "Rename" }).click();
    await fill(ana, "New name", "Kimberly");
    await ana.getByRole("dialog").getByRole("button", { name: "Rename" }).click();
    await sees(ben, "#users td", "Kimberly", "Ben sees the new name");

    const focused = await ben.evaluate(() => document.activeElement.outerHTML);
    assert.match(focused, /aria-label="Delete Leo"/, "and can go on where he was");
    await press(ana, "Delete Kimberly");
    await gone(ben.locator("#users tbody tr", { hasText: "Kimberly" }));
  });

  test("a change that nobody answers is told in words for people", async (t) => {
    const page = await lesson.open(t, { excused: [/ERR_INTERNET_DISCONNECTED/] });
    await enter(page, "ana");

    await page.context().setOffline(true);
    await say(page, "hello?");

    await sees(page, "#log .problem", "No server answers.", "not in words of the browser");
  });

  test("no word on a button is broken, however narrow the window", async (t) => {
    const page = await lesson.open(t, { viewport: { width: 360, height: 740 } });
    await enter(page, "ana");
    const row = await addUser(page, "Wordwithoutend".repeat(3));

    const [rename, other] = await row.getByRole("button").all();

    assert.equal((await rename.boundingBox()).height, 32, "one line");
    assert.equal((await other.boundingBox()).height, 32, "and here, too");
    assert.equal(await overflow(page, "#users"), 0, "nobody should have to scroll sideways");
  });

  test("a custom event may carry any JSON", async (t) => {
    const page = await lesson.open(t);
    await enter(page, "ana");

    await page.evaluate(() =>
      fetch("/api/v1/channels/users/events", {
        method: "POST",
        headers: { "Content-Type": "application/json" },
        body: JSON.stringify({ event: "editing", data: { user: 1 } }),
      }),
    );

    await sees(page, "#log .received", '{"user":1}', "the page shows it as it is");
  });
});
