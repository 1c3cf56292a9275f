// What the tests do in a browser, and what they check there.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { after, before } from "node:test";
import { fileURLToPath } from "node:url";

import { chromium } from "playwright-core";

/** How long a page may take for anything that we wait for. */
export const TIMEOUT = 10_000;

/** Prints where the browser is, and installs one if need be. */
const FINDER = fileURLToPath(new URL("chromium", import.meta.url));

const FLAGS = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
  "--no-first-run",
];

let browser;

/** Gives the tests of a file one browser. Each window has its own cookies. */
export function useBrowser() {
  before(async () => {
    browser = await chromium.launch({
      executablePath: process.env.CHROMIUM ?? execFileSync(FINDER).toString().trim(),
      args: FLAGS,
    });
  });
  after(() => browser?.close());
}

/** The windows of each test: what closes one of them, and checks its console. */
const windows = new WeakMap();

/**
 * Opens a window, and closes it after the test `t`. The test fails if the page logs an
 * error to the console, or if a request fails, unless one of `excused` matches it.
 *
 * It is a window of another browser, or of the same one as the page `beside`.
 *
 * All windows of a test are closed before anything that the test tidies up after its first
 * one: a page whose server stops would ask what has happened.
 */
export async function openWindow(
  t,
  url,
  { excused = [], prepare, beside, ...options } = {},
) {
  const context = beside?.context() ?? (await browser.newContext(options));
  const page = await context.newPage();
  const errors = [];
  page.setDefaultTimeout(TIMEOUT);
  page.on("console", (message) => {
    if (["error", "warning"].includes(message.type())) errors.push(message.text());
  });
  page.on("pageerror", (error) => errors.push(error.message));
  page.on("requestfailed", (request) => {
    const { errorText } = request.failure() ?? {};
    // A page that is closed while it still loads something breaks that off.
    if (errorText !== "net::ERR_ABORTED") errors.push(`${request.url()}: ${errorText}`);
  });

  if (!windows.has(t)) {
    windows.set(t, []);
    t.after(async () => {
      for (const { close } of windows.get(t)) await close();
      for (const { check } of windows.get(t)) check();
    });
  }
  windows.get(t).push({
    close: () => (beside ? page : context).close(),
    check() {
      const surprises = errors.filter(
        (error) => !excused.some((known) => known.test(error)),
      );
      assert.deepEqual(surprises, [], `the console of ${url} should be free of errors`);
    },
  });

  await prepare?.(page);
  if (url) await page.goto(url);
  return page;
}

/** Waits until a visible element that `selector` picks contains `expected`. */
export async function sees(page, selector, expected, why) {
  const read = ([selector]) =>
    [...document.querySelectorAll(selector)]
      .filter((element) => element.checkVisibility())
      .map((element) => element.textContent);

  const deadline = Date.now() + TIMEOUT;
  let found = [];
  while (Date.now() < deadline) {
    found = await page.evaluate(read, [selector]);
    if (found.some((text) => text.includes(expected))) return;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  assert.fail(
    `${why}: ${selector} should show “${expected}”, but after ${TIMEOUT} ms it shows ` +
      `${JSON.stringify(found)}`,
  );
}

/** Waits until the last element that `selector` picks can be seen without scrolling. */
export async function isInView(page, selector, why) {
  const inView = (selector) => {
    const last = [...document.querySelectorAll(selector)].at(-1);
    const { top, bottom } = last.getBoundingClientRect();
    return top > -1 && bottom < innerHeight + 1; // A page scrolls by whole pixels.
  };
  await page.waitForFunction(inView, selector).catch(() => {
    assert.fail(`${why}: nobody should have to scroll to see the last ${selector}`);
  });
}

/** All lines of the log, of one kind or of all. */
export function lines(page, kind = "*") {
  return page.locator(kind === "*" ? "#log li" : `#log .${kind}`).allTextContents();
}

export async function press(page, name) {
  const button = page.getByRole("button", { name, exact: true });
  await button.click().catch(() => {
    assert.fail(`the button “${name}” should be there, and one should be able to press it`);
  });
}

/** Waits until the keyboard writes into the field that has this `name`. */
export async function hasFocus(page, name, why) {
  const isThere = (name) => document.activeElement.name === name;
  await page.waitForFunction(isThere, name).catch(async () => {
    const active = await page.evaluate(() => document.activeElement.outerHTML.slice(0, 80));
    assert.fail(`${why}: the field “${name}” should have the focus, but ${active} has it`);
  });
}

export async function fill(page, label, text) {
  await page.getByLabel(label, { exact: true }).fill(text);
}

/** Types a text as a keyboard does, so that `maxlength` would apply. */
export async function type(page, label, text) {
  await fill(page, label, "");
  await page.keyboard.insertText(text);
}

/** What the browser has against the value of a field, or "" if it is fine. */
export function complaint(page, label) {
  return page
    .getByLabel(label, { exact: true })
    .evaluate(({ validity, validationMessage, title }) =>
      validity.patternMismatch ? title : validationMessage,
    );
}

export async function say(page, text) {
  await fill(page, "Say", text);
  await press(page, "Send");
}

/** The buttons of forms that have a row for themselves, and do not fill it. */
export function lonely(page) {
  return page.evaluate(() => {
    const box = (element) => element.getBoundingClientRect();
    const isBeside = (a, b) => a !== b && box(a).top < box(b).bottom && box(b).top < box(a).bottom;
    return [...document.querySelectorAll("main :is(form, fieldset, .bar) > button")]
      .filter((button) => button.checkVisibility({ visibilityProperty: true }))
      .filter((button) => {
        const row = [...button.parentElement.children].filter((other) => isBeside(button, other));
        return row.length === 0 && box(button).width < 0.9 * box(button.parentElement).width;
      })
      .map(({ textContent }) => textContent);
  });
}

/** The fields that a phone would begin with a capital letter, by their names. */
export function capitalized(page) {
  return page
    .locator("input:not([type])")
    .evaluateAll((fields) =>
      fields.filter((field) => field.autocapitalize !== "none").map(({ name }) => name),
    );
}

/** How many pixels are too wide for the page or for its list, and need scrolling. */
export function overflow(page, list = "#log") {
  return page.evaluate(
    ([list]) =>
      [document.documentElement, document.querySelector(list)]
        .map(({ scrollWidth, clientWidth }) => scrollWidth - clientWidth)
        .reduce((most, pixels) => Math.max(most, pixels), 0),
    [list],
  );
}

/** Opens a bare socket in the page, closes it politely, and gives what came of it. */
export function closePolitely(page, path) {
  return page.evaluate(
    ([path, timeout]) =>
      new Promise((resolve) => {
        setTimeout(() => resolve("no close event came"), timeout);
        const socket = new WebSocket(path);
        socket.addEventListener("open", () => socket.close(1000, "bye"));
        socket.addEventListener("close", ({ code, wasClean }) =>
          resolve({ code, wasClean }),
        );
      }),
    [path, TIMEOUT],
  );
}
