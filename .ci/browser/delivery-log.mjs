// What the tests of a page do that sends again what may be lost, and what they see there.

import assert from "node:assert/strict";

import { TIMEOUT, say } from "./browser.mjs";

/** What a window says whose place another one has taken. */
export const REPLACED = "Replaced: you are in this room by another window now.";

/** What the browser logs about a try without a network. */
export const OFFLINE = /ERR_INTERNET_DISCONNECTED/;

/** What the log has: of each chat the text, and of ours the state. */
function entries(page) {
  return page.locator("#log li:is(.sent, .received)").evaluateAll((items) =>
    items.map(({ lastChild, dataset }) =>
      [lastChild.textContent, dataset.state].filter(Boolean).join(": "),
    ),
  );
}

/** Waits until the log has these chats, in this order, each once. */
export async function shows(page, expected, why) {
  const deadline = Date.now() + TIMEOUT;
  let found;
  do {
    found = await entries(page);
    if (`${found}` === `${expected}`) return;
    await page.waitForTimeout(20);
  } while (Date.now() < deadline);
  assert.deepEqual(found, expected, why);
}

/** Says these texts, one after the other. */
export const writeAll = async (page, texts) => {
  for (const text of texts) await say(page, text);
};

/** Chance decides for waits of a quarter of an hour, until `comeBack`. */
export const patiently = (page) =>
  page.addInitScript(() => {
    Math.random = () => globalThis.chance ?? 1000;
  });

/** The browser says that there is a network again. */
export const comeBack = (page) =>
  page.evaluate(() => {
    globalThis.chance = 0.1;
    window.dispatchEvent(new Event("online"));
  });
