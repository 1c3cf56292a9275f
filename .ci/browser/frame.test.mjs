// The frame around every page: the links of the course, what one could try, the drawer with
// the wire view, and the pages that say that something is not here.

import assert from "node:assert/strict";
import { describe, test } from "node:test";

import {
  closePolitely,
  fill,
  openWindow,
  press,
  say,
  sees,
  useBrowser,
} from "./browser.mjs";
import { findings } from "./everybody.mjs";
import { LIMITS, NO_SERVER, answered, connected, serve } from "./lesson.mjs";
import { start } from "./server.mjs";

/** The rows of the wire view, as texts. Playwright looks into its shadow. */
const rows = (page) => page.locator("wire-view .list").innerText();

/** Waits until the wire view has a row with these words. */
async function shows(page, words, why) {
  const row = page.locator("wire-view .list", { hasText: words });
  await row.waitFor({ state: "visible" }).catch(async () => {
    assert.fail(`${why}: “${words}” should be there, but there is ${await rows(page)}`);
  });
}

const focus = (page) =>
  page.evaluate(() => {
    const { id, className, textContent } = document.activeElement;
    return id || className || textContent;
  });

/** A program of this name that listens beyond loopback, as in a classroom. */
async function open(t, name) {
  const server = await start(name, 0, { ADDR: "0.0.0.0:0" });
  t.after(() => server.stop());
  return server;
}

/** How many pixels are too wide for the page. */
const overflow = (page) =>
  page.evaluate(() => document.documentElement.scrollWidth - innerWidth);

describe("the frame around a page", LIMITS, () => {
  useBrowser();
  const lesson = serve("lesson_01_echo");

  test("leads to the course, the page, the lab and the chapter, and says which lesson it is", async (t) => {
    const page = await lesson.open(t);
    const { url } = lesson.server;
    const links = page.getByRole("navigation", { name: "Site" });
    const follow = async (name, expected) => {
      await links.getByRole("link", { name, exact: true }).click();
      await page.waitForURL(expected);
    };

    await sees(page, "#bar", "1 of 22", "this is the first of the lessons");
    const current = links.locator('[aria-current="page"]');
    assert.equal(await current.textContent(), "Page", "we are on the lesson's page");
    await follow("Lab", `${url}/lab.html`);
    assert.equal(await current.textContent(), "Lab", "and now in the lab");
    await follow("WebSockets in Rust", `${url}/`);
    await follow("Page", `${url}/lesson_01.html`);
    // If somebody serves the book here, we get there, else to the text that it is made from.
    await follow("Chapter", /lessons\/01-echo\.html$|\/chapter\.md$/);
    await sees(page, "body", "Lesson 01: an echo server", "the chapter explains the lesson");

    await page.goto(`${url}/lab`);
    assert.equal(page.url(), `${url}/lab.html`, "/lab is what people type");
  });

  test("begins with a link that skips it, and goes on in the page", async (t) => {
    const page = await openWindow(t, lesson.server.url); // It sets no focus of its own.

    await page.keyboard.press("Tab");
    assert.equal(await focus(page), "skip", "the skip link is the first");
    await page.keyboard.press("Enter");
    await page.keyboard.press("Tab");

    const isInMain = await page.evaluate(() => document.activeElement.closest("main") !== null);
    assert.ok(isInMain, `the next is in the page, but it is ${await focus(page)}`);
  });

  test("names three things to try, for whoever opens them with the keyboard", async (t) => {
    const page = await lesson.open(t);
    const items = page.locator("#bar li");
    assert.equal(await items.first().isVisible(), false, "the frame is quiet at first");

    await page.locator("#bar summary").focus();
    await page.keyboard.press("Enter");

    await items.first().waitFor();
    assert.equal(await items.count(), 3, "there are three");
    await sees(page, "#bar li", "Send four bytes", "they are about this page");
  });

  test("is not printed", async (t) => {
    const page = await lesson.open(t);
    await press(page, "Wire");
    await page.emulateMedia({ media: "print" });

    for (const part of ["#bar", ".skip", "#wire"])
      assert.equal(await page.locator(part).isVisible(), false, `${part} is of no use on paper`);
  });

  for (const [width, colorScheme, forcedColors] of [
    [1280, "light", "none"],
    [1280, "light", "active"],
    [390, "dark", "none"],
    [360, "light", "none"],
  ]) {
    const colours = forcedColors === "active" ? "forced colours" : colorScheme;
    test(`fits into ${width} pixels, ${colours}, with all of it open, for everybody`, async (t) => {
      const page = await lesson.open(t, {
        colorScheme,
        forcedColors,
        viewport: { width, height: 740 },
      });
      await connected(page);
      await press(page, "Wire");
      await page.locator("#bar summary").click();
      await shows(page, "GET /ws", "the view is there");

      assert.equal(await overflow(page), 0, "nobody should have to scroll sideways");
      // The view has tests of its own.
      assert.deepEqual(await findings(page), [], "a page for everybody");
      const [bar, first] = await page
        .locator("#bar > a, #bar > button")
        .evaluateAll((parts) => [parts.at(-1), parts[0]].map((part) => part.offsetTop));
      assert.ok(bar - first < 40, "the links take two lines at most");
    });
  }
});

describe("the drawer", LIMITS, () => {
  useBrowser();
  const lesson = serve("lesson_01_echo");

  test("opens and closes with the keyboard, and the focus comes back", async (t) => {
    const page = await lesson.open(t);
    const button = page.getByRole("button", { name: "Wire", exact: true });

    await button.focus();
    await page.keyboard.press("Enter");
    assert.equal(await focus(page), "wire", "whoever opens it wants to be in it");
    assert.equal(await button.getAttribute("aria-expanded"), "true", "it is open");
    await shows(page, "GET /ws", "it shows what happened before it was opened");
    await page.keyboard.press("Escape");

    assert.equal(await page.locator("#wire").isVisible(), false, "Escape closes it");
    assert.equal(await button.getAttribute("aria-expanded"), "false", "and the button says so");
    assert.equal(await focus(page), "Wire", "the focus is on the button again");
  });

  test("Escape closes the details of a row first", async (t) => {
    const page = await lesson.open(t);
    await press(page, "Wire");
    await shows(page, "GET /ws", "there is a row");
    await page.locator("wire-view .list").focus();
    await page.keyboard.press("ArrowDown");
    await page.keyboard.press("Enter");
    const panel = page.locator("wire-view .panel");
    await panel.waitFor();

    await page.keyboard.press("Escape");

    assert.equal(await panel.isVisible(), false, "the details are closed");
    assert.ok(await page.locator("#wire").isVisible(), "the drawer is still open");
  });

  test("with X-ray, it shows the frames of this page, and no name from the lab", async (t) => {
    const page = await lesson.open(t);
    await connected(page);
    await press(page, "Wire");
    // This is what a lab in another tab leaves behind, when it has connected its Cem.
    await page.evaluate(() => {
      document.cookie = document.cookie.replace(/\..*/, ".cem; path=/; SameSite=Strict");
    });

    await closePolitely(page, "/ws");
    await say(page, "hello");

    await shows(page, "101 Switching Protocols", "a script alone could not see that");
    await shows(page, "Echo: hello", "each message is there");
    await shows(page, "Client 2", "and each connection");
    assert.doesNotMatch(await rows(page), /Cem/, "this page is not the lab's Cem");
  });

  test("is open again when the page is loaded again, and lets the page have the focus", async (t) => {
    const page = await lesson.open(t);
    await press(page, "Wire");
    await shows(page, "GET /ws", "it is open");

    await page.reload();

    await shows(page, "GET /ws", "it is open again");
    assert.notEqual(await focus(page), "wire", "nobody has asked for the focus");
    await press(page, "Wire");
    await page.reload();
    await connected(page);
    assert.equal(await page.locator("#wire").isVisible(), false, "and closed again");
  });

  test("without X-ray, it shows what the sockets did before somebody opened it", async (t) => {
    const server = await open(t, "lesson_01_echo");
    const page = await openWindow(t, `${server.url}/lesson_01.html`, { excused: [NO_SERVER] });
    await connected(page);
    await say(page, "hello");
    await sees(page, "#log .received", "Echo: hello", "it came back");

    await press(page, "Wire");

    await shows(page, "Echo: hello", "it was recorded from the start");
    await say(page, "still here?");
    await shows(page, "Echo: still here?", "and it goes on");
    assert.doesNotMatch(await rows(page), /tcp/, "what no script can see");
    assert.equal(await page.evaluate(() => document.cookie), "", "and no cookie is left");
  });

  test("stands beside the page where there is room, and else below it", async (t) => {
    const page = await lesson.open(t, { viewport: { width: 1280, height: 700 } });
    await press(page, "Wire");
    const box = (selector) => page.locator(selector).boundingBox();

    const [wide, main] = [await box("#wire"), await box("main")];
    assert.ok(main.x + main.width <= wide.x, "the page is left of it, and nothing is covered");
    assert.equal(wide.height, 700, "it is as high as the window");

    await page.setViewportSize({ width: 390, height: 844 });
    await fill(page, "Say", "hello");
    await page.getByLabel("Say").scrollIntoViewIfNeeded();
    await page.evaluate(() => scrollTo(0, document.documentElement.scrollHeight));
    const [low, field] = [await box("#wire"), await box("#say")];
    assert.equal(low.y, 422, "it takes the lower half");
    assert.ok(field.y + field.height <= low.y, "the end of the page can be seen above it");
  });

  test("on a phone, it does not cover the field, wherever the page is scrolled to", async (t) => {
    const page = await lesson.open(t, { viewport: { width: 390, height: 844 } });
    await connected(page);
    for (let i = 0; i < 12; i += 1) await say(page, `message ${i}`);
    await sees(page, "#log .received", "message 11", "the page is longer than a phone");
    await press(page, "Wire");

    for (const part of [0, 0.5, 1]) {
      await page.evaluate((part) => {
        const { scrollHeight, clientHeight } = document.documentElement;
        scrollTo(0, part * (scrollHeight - clientHeight));
      }, part);
      const [drawer, field] = await Promise.all(
        ["#wire", "#talk"].map((part) => page.locator(part).boundingBox()),
      );
      const bottom = field.y + field.height;
      assert.ok(bottom <= drawer.y + 1, `at ${part}: ${bottom} is under the drawer, from ${drawer.y} on`);
    }
  });

  test("can be opened again if the view could not be loaded", async (t) => {
    const page = await lesson.open(t, { excused: [/ERR_FAILED/] });
    await connected(page);
    await page.route("**/wire-view.js*", (route) => route.abort());
    await press(page, "Wire");
    await sees(page, "#wire", "could not be loaded", "an empty drawer says nothing");
    await page.unroute("**/wire-view.js*");

    await press(page, "Wire");
    await press(page, "Wire");

    await shows(page, "GET /ws", "the server answers again");
  });

  test("leaves its place at the server when it is closed, and misses nothing", async (t) => {
    const page = await lesson.open(t);
    await connected(page);
    const viewers = [];
    page.on("websocket", (socket) => {
      if (!socket.url().endsWith("/lab/xray")) return;
      const viewer = { isClosed: false };
      socket.on("close", () => (viewer.isClosed = true));
      viewers.push(viewer);
    });
    const closed = () => viewers.map(({ isClosed }) => isClosed);
    await press(page, "Wire");
    await shows(page, "GET /ws", "it shows what happened");

    await press(page, "Wire");
    const deadline = Date.now() + 5_000;
    while (closed().includes(false) && Date.now() < deadline)
      await new Promise((resolve) => setTimeout(resolve, 20));
    assert.deepEqual(closed(), [true], "a server has places for eight windows");
    await say(page, "meanwhile");
    await sees(page, "#log .received", "Echo: meanwhile", "it came back");
    await press(page, "Wire");

    await shows(page, "Echo: meanwhile", "the server remembers it");
    assert.equal((await rows(page)).match(/GET \/ws/g).length, 1, "and no row comes twice");
    assert.deepEqual(closed(), [true, false], "there is one viewer");
  });

  test("works in a browser that lets no page remember anything", async (t) => {
    const page = await lesson.open(t, {
      prepare: (page) =>
        page.addInitScript(() => {
          const get = () => {
            throw new DOMException("Access is denied", "SecurityError");
          };
          Object.defineProperty(globalThis, "sessionStorage", { get });
        }),
    });

    await press(page, "Wire");

    await shows(page, "GET /ws", "it shows what happened");
    await press(page, "Wire");
    assert.equal(await page.locator("#wire").isVisible(), false, "and it closes");
  });

  for (const [name, file, begin] of [
    ["lesson_08_auth", "lesson_08.html", start],
    ["lesson_08_auth", "lesson_08.html", (name) => start(name, 0, { ADDR: "0.0.0.0:0" })],
    ["lesson_09_heartbeat", "lesson_09.html", start],
  ])
    test(`knows who has signed in, in ${name}, ${begin === start ? "with" : "without"} X-ray`, async (t) => {
      const server = await begin(name);
      t.after(() => server.stop());
      const page = await openWindow(t, `${server.url}/${file}`, { excused: [NO_SERVER] });
      await fill(page, "Name", "ana");
      await fill(page, "Password", "ana-likes-tea");
      await press(page, "Sign in");
      await say(page, "It is me.");
      await press(page, "Wire");
      await shows(page, "It is me.", "it shows what happened");

      const lanes = await page.locator("wire-view .names .lanes b").allTextContents();
      assert.deepEqual(lanes, ["Ana", "server"], "the page knows her, and so does the drawer");
      const text = await page.evaluate(() => document.querySelector("wire-view").transcript());
      const steps = "ana signs in ana-likes-tea\nana connects /ws/chat/rust?token={ana.token}\n";
      assert.ok(text.startsWith(steps), `in another browser, no cookie signs in:\n${text}`);
    });

  test("the lab has none, because it shows the wire itself", async (t) => {
    const page = await openWindow(t, `${lesson.server.url}/lab.html`);

    assert.equal(await page.getByRole("button", { name: "Wire", exact: true }).count(), 0);
  });
});

describe("what is not here", LIMITS, () => {
  useBrowser();
  const lesson = serve("lesson_01_echo");

  test("the page of another lesson is a page with the command, and a way back", async (t) => {
    const page = await openWindow(t, "", {
      permissions: ["clipboard-write", "clipboard-read"],
      excused: [answered(404)],
    });
    const answer = await page.goto(`${lesson.server.url}/lesson_07.html`);

    assert.equal(answer.status(), 404, "it is not what was asked for");
    await sees(page, "header", "Lesson 07: rooms", "it says what was asked for");
    await sees(page, "header", "lesson_01_echo", "and what runs");
    await press(page, "Copy");
    const copied = await page.evaluate(() => navigator.clipboard.readText());
    assert.equal(copied, "cargo run -p lesson_07_rooms", "the command can be pasted");
    assert.deepEqual(await findings(page), [], "a page for everybody");
    await page.locator("a.button").click();
    await page.waitForURL("**/lesson_01.html");
  });

  test("a path that nobody serves is a page, too, wherever it is", async (t) => {
    const page = await openWindow(t, "", { excused: [answered(404)] });
    const answer = await page.goto(`${lesson.server.url}/ws/7/nonsense`);

    assert.equal(answer.status(), 404, "there is nothing");
    await sees(page, "header", "/ws/7/nonsense", "it says what was asked for");
    const font = await page.evaluate(() => getComputedStyle(document.body).maxWidth);
    assert.equal(font, "640px", "it has the stylesheet, though it is no neighbour of it");
    assert.deepEqual(await findings(page), [], "a page for everybody");
    await page.locator("a.button").click();
    await page.waitForURL("**/lesson_01.html");
  });

  test("a program gets a sentence", async () => {
    const answers = ["/lesson_07.html", "/nonsense"].map(async (path) => {
      const answer = await fetch(lesson.server.url + path);
      return `${answer.status} ${await answer.text()}`;
    });

    assert.deepEqual(await Promise.all(answers), [
      "404 This server runs lesson_01_echo. Stop it, and start the server of this page: " +
        "cargo run -p lesson_07_rooms",
      "404 Nothing is served at /nonsense.",
    ]);
  });
});

describe("the landing page", LIMITS, () => {
  useBrowser();

  test("on loopback, it invites nobody else", async (t) => {
    const server = await start("lesson_01_echo");
    t.after(() => server.stop());
    const page = await openWindow(t, server.url);

    await sees(page, "main", "The lab", "it leads on");
    assert.equal(await page.locator("svg, #invitation").count(), 0, "nobody can come");
    assert.deepEqual(await findings(page), [], "a page for everybody");
  });

  test("in a network, it has the addresses and a code for phones", async (t) => {
    const server = await open(t, "lesson_01_echo");
    const found = /network open (http:\S+?)[ .]?(?: or|\.$|$)/m.exec(server.output());
    if (!found) return t.skip("this computer is in no network");
    const page = await openWindow(t, server.url, { viewport: { width: 360, height: 740 } });

    await sees(page, "#invitation", found[1], "neighbours type what they read");
    const code = page.getByRole("img", { name: `QR code: ${found[1]}/lesson_01.html` });
    assert.ok(await code.isVisible(), "or point a phone at it");
    assert.equal(await overflow(page), 0, "nobody should have to scroll sideways");
    assert.deepEqual(await findings(page), [], "a page for everybody");
  });
});
