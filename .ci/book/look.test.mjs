// How the book looks, and what one can do with it: light and dark, on a phone, on paper,
// without scripts, and with the keyboard.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { after, before, test } from "node:test";

import { openWindow, useBrowser } from "../browser/browser.mjs";
import { findings } from "../browser/everybody.mjs";
import { MDBOOK, PAGES, ROOT, serveBook } from "./book.mjs";

const LIMITS = { timeout: 120_000 };
const LAPTOP = { width: 1280, height: 800 };
const PHONE = { width: 390, height: 844 };

const LESSONS = PAGES.filter((page) => page.startsWith("lessons/"));

/** One page of each kind. */
const KINDS = {
  start: "start/welcome.html",
  lesson: "lessons/05-query-params.html",
  exercise: "exercises/01-private-messages.html",
  table: "reference/close-codes.html",
  sheet: "teachers/sheet.html",
};

useBrowser();

let book;
before(async () => {
  book = await serveBook();
});
after(() => book.close());

test("the colours are those of the pages", () => {
  const colours = (file) => {
    const text = readFileSync(new URL(file, ROOT), "utf8");
    return new Map(
      [...text.matchAll(/^ {2}(--[\w-]+): (light-dark\(#.+\));$/gm)].map(([, name, value]) => [name, value]),
    );
  };
  const [pages, ours] = [colours("static/style.css"), colours("book/book.css")];
  const shared = [...pages.keys()].filter((name) => ours.has(name));
  assert.ok(shared.length > 8, `book.css should have the pages' colours, and has ${shared}`);
  for (const name of shared)
    assert.equal(ours.get(name), pages.get(name), `${name} in book.css and in style.css`);
});

test("the icon is the one of the pages, and the only one", LIMITS, async (t) => {
  const page = await openWindow(t, book.at(KINDS.start));
  const icons = await page
    .locator("link[rel~=icon]")
    .evaluateAll((links) => links.map(({ href }) => href));
  assert.equal(icons.length, 1, `one icon is enough: ${icons}`);
  const icon = await page.evaluate((url) => fetch(url).then((a) => a.text()), icons[0]);
  assert.equal(icon, readFileSync(new URL("static/favicon.svg", ROOT), "utf8"));
});

test("the first code of a lesson is on the first screen", LIMITS, async (t) => {
  const page = await openWindow(t, null, { viewport: LAPTOP });
  for (const name of LESSONS) {
    await page.goto(book.at(name));
    const [top, line] = await page
      .locator("main pre")
      .first()
      .evaluate((pre) => [pre.getBoundingClientRect().top, parseFloat(getComputedStyle(pre).lineHeight)]);
    const lines = (LAPTOP.height - top) / line;
    assert.ok(lines > 3, `${name}: ${lines.toFixed(1)} lines of its first code are in sight`);
  }
});

test("there are two looks, and the keyboard chooses", LIMITS, async (t) => {
  const page = await openWindow(t, book.at(KINDS.start), { viewport: LAPTOP });
  const scheme = () => page.evaluate(() => getComputedStyle(document.documentElement).colorScheme);

  await page.getByRole("button", { name: "Change theme" }).press("Enter");
  const names = await page.getByRole("menuitem").allTextContents();
  await page.keyboard.press("End");
  await page.keyboard.press("Enter");

  assert.deepEqual(names, ["Auto", "Light", "Dark"]);
  assert.equal(await scheme(), "dark", "the last one is chosen");

  await page.evaluate(() => localStorage.setItem("mdbook-theme", "rust"));
  await page.reload();
  assert.equal(await scheme(), "light", "a theme of another book is one of ours");
  await page.getByRole("button", { name: "Change theme" }).click();
  await page.getByRole("menuitem", { name: "Light" }).waitFor();
});

test("the keyboard shows and hides the list of chapters", LIMITS, async (t) => {
  const page = await openWindow(t, book.at(KINDS.start), { viewport: LAPTOP });
  const toggle = page.getByRole("button", { name: "Toggle Table of Contents" });

  for (const [key, expanded] of [["Enter", "false"], ["Space", "true"]]) {
    await toggle.press(key);
    assert.equal(await toggle.getAttribute("aria-expanded"), expanded, key);
  }
});

test("the arrows say where they lead, and so do the keys", LIMITS, async (t) => {
  const page = await openWindow(t, book.at(KINDS.lesson), { viewport: LAPTOP });
  const ways = page.getByRole("navigation", { name: "Page navigation" }).getByRole("link");

  assert.deepEqual((await ways.allTextContents()).map((text) => text.trim()), [
    "Lesson 04: path parameters",
    "Lesson 06: a protocol in JSON",
  ]);
  await page.keyboard.press("ArrowRight");
  await page.waitForURL("**/lessons/06-json.html");
});

for (const [where, viewport] of Object.entries({ laptop: LAPTOP, phone: PHONE })) {
  for (const colorScheme of ["light", "dark"]) {
    test(`everybody can read it on a ${where}, ${colorScheme}`, LIMITS, async (t) => {
      for (const name of Object.values(KINDS)) {
        const page = await openWindow(t, book.at(name), { viewport, colorScheme });
        assert.deepEqual(await findings(page, MDBOOK), [], name);
        await page.close();
      }
    });
  }
}

test("in forced colours everything has an edge", LIMITS, async (t) => {
  const page = await openWindow(t, book.at(KINDS.lesson), { forcedColors: "active" });
  const parts =
    "main pre, ws-lab, main details:not(.long details), .drawing rect, .mobile-nav-chapters";
  const invisible = await page.locator(parts).evaluateAll((elements) => {
    const paper = getComputedStyle(document.body).backgroundColor;
    return elements
      .filter((element) => {
        const { borderTopColor, borderTopWidth, stroke } = getComputedStyle(element);
        if (!element.checkVisibility()) return false;
        if (element.closest("svg")) return stroke === paper;
        return borderTopColor === paper || borderTopWidth === "0px";
      })
      .map((element) => element.outerHTML.slice(0, 80));
  });
  assert.deepEqual(invisible, []);
});

/** How many lines of the first long block show, and how many it has. */
const linesOf = (page) =>
  page.locator(".long > pre").first().evaluate((pre) => {
    const line = parseFloat(getComputedStyle(pre).lineHeight);
    const all = pre.querySelector("code").textContent.trimEnd().split("\n").length;
    return [Math.floor(pre.clientHeight / line), all];
  });

test("long code shows its first lines, and a key unfolds the rest", LIMITS, async (t) => {
  const page = await openWindow(t, book.at(KINDS.lesson), {
    viewport: LAPTOP,
    permissions: ["clipboard-read", "clipboard-write"],
  });
  const block = page.locator(".long").first();
  const summary = block.locator("summary");

  const [shown, all] = await linesOf(page);
  assert.ok(all > 40 && shown < 29, `${shown} of ${all} lines show`);
  const promised = Number(/(\d+) more lines/.exec(await summary.innerText())?.[1]);
  assert.equal(shown + promised, all, "the rest is as long as it says");
  assert.match(await summary.innerText(), /^… \d+ more lines: async fn run$/);

  await block.hover();
  await block.locator(".clip-button").click();
  const copied = await page.evaluate(() => navigator.clipboard.readText());
  assert.equal(copied.trimEnd().split("\n").length, all, "all of it is copied");

  await summary.press("Enter");
  const [unfolded] = await linesOf(page);
  assert.ok(unfolded >= all, `${unfolded} of ${all} lines show`);
  assert.match(await summary.innerText(), /^Only the first \d+ lines$/);
});

test("no block of code is long and unfolded", LIMITS, async (t) => {
  const page = await openWindow(t, null, { viewport: LAPTOP });
  for (const name of PAGES) {
    await page.goto(book.at(name));
    const long = await page.locator("main pre:not(details pre, ws-lab pre, .long pre)").evaluateAll(
      (blocks) => blocks.filter(({ textContent }) => textContent.trimEnd().split("\n").length > 40).length,
    );
    assert.equal(long, 0, `${name} has long code that is not folded`);
  }
});

test("without scripts, and on paper, all of the code shows", LIMITS, async (t) => {
  const plain = await openWindow(t, book.at(KINDS.lesson), { javaScriptEnabled: false });
  const paper = await openWindow(t, book.at(KINDS.lesson));
  await paper.emulateMedia({ media: "print" });

  for (const [where, page] of Object.entries({ "without scripts": plain, "on paper": paper })) {
    const [shown, all] = await linesOf(page);
    assert.ok(shown >= all, `${where}: ${shown} of ${all} lines show`);
    assert.equal(await page.locator(".long summary").first().isVisible(), false, where);
  }
});

test("paper is white, and the sheet fits on one", LIMITS, async (t) => {
  const page = await openWindow(t, book.at(KINDS.sheet), { colorScheme: "dark" });
  await page.emulateMedia({ media: "print", colorScheme: "dark" });
  const paper = () => page.evaluate(() => getComputedStyle(document.documentElement).backgroundColor);
  assert.equal(await paper(), "rgb(255, 255, 255)");

  const margin = { top: "1cm", right: "1cm", bottom: "1cm", left: "1cm" };
  const pdf = (await page.pdf({ format: "A4", margin })).toString("latin1");
  const [, pages] = /\/Type \/Pages[^>]*\/Count (\d+)/s.exec(pdf) ?? [];
  assert.equal(pages, "1", "the sheet says that it is one page for each learner");
});
