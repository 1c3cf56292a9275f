// What holds on every page that has a heartbeat.

import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";

import { lines, openWindow, sees } from "./browser.mjs";
import { enter } from "./users.mjs";
import { startProxy } from "./proxy.mjs";

/** How long the server may send nothing before a page asks, in milliseconds. */
export const PING_AFTER = 20_000;

/** How long the answer may take. */
export const PONG_WITHIN = 10_000;

/** Opens a window whose clock we can turn: the page, and what its sockets send and receive. */
export async function openWithClock(t, url) {
  const frames = [];
  const page = await openWindow(t, url, {
    prepare: async (page) => {
      page.on("websocket", (socket) => {
        socket.on("framesent", ({ payload }) => frames.push(`sent ${payload}`));
        socket.on("framereceived", ({ payload }) => frames.push(`received ${payload}`));
      });
      await page.clock.install();
    },
  });
  return { page, frames };
}

/** The same for a window whose connection can be cut. */
export async function openBehindProxy(t, lesson) {
  const proxy = await startProxy(lesson.server.port);
  const { page } = await openWithClock(t, `${proxy.url}/${lesson.page}`);
  t.after(() => proxy.stop()); // After the window, which may connect again.
  return { proxy, page };
}

/** Cuts the connection. What was on its way arrives first: it would start the wait anew. */
export async function cut(proxy) {
  proxy.swallow();
  await sleep(300);
}

/** Cuts the connection of `name`, and lets the time pass after which the page notices. */
export async function fallSilent(page, proxy, name) {
  await cut(proxy);
  await page.clock.fastForward(PING_AFTER);
  await sees(page, "#state", `Connected as ${name}.`, "the page has asked, and waits");
  await page.clock.fastForward(PONG_WITHIN);
}

/** Waits, on the clock of this machine, until something is so. */
export async function until(done) {
  for (let i = 0; i < 200 && !done(); i += 1) await sleep(20);
}

/** Waits until what the server sends first has come. */
export async function isQuiet(frames) {
  let before;
  do {
    before = frames.length;
    await sleep(700);
  } while (frames.length !== before);
}

/** `ping` is what the page asks. */
export function everyHeartbeat(lesson, ping = '{"type":"ping"}') {
  test("a page that has received nothing for 20 seconds asks, and stays", async (t) => {
    const { page, frames } = await openWithClock(t, `${lesson.server.url}/${lesson.page}`);
    await enter(page, "ana");
    await isQuiet(frames); // Some servers greet.
    frames.length = 0;
    const before = await lines(page);

    await page.clock.fastForward(PING_AFTER - 5_000);
    assert.deepEqual(frames, [], "there is nothing to ask yet");
    await page.clock.fastForward(5_000);

    const answer = 'received {"type":"pong"}';
    await until(() => frames.includes(answer));
    // One page has two sockets, so it may ask twice.
    const exchange = new Set([`sent ${ping}`, answer]);
    assert.deepEqual(new Set(frames), exchange, "the page asks, and the server answers");
    await page.clock.fastForward(PONG_WITHIN);
    await sees(page, "#state", "Connected as ana.", "the answer came in time");
    assert.deepEqual(await lines(page), before, "and is no news for people");
  });

  test("a page whose server no longer answers finds out", async (t) => {
    const { proxy, page } = await openBehindProxy(t, lesson);
    await enter(page, "ben");

    await fallSilent(page, proxy, "ben");

    await sees(page, "body", "The server no longer answers.", "the page finds out");
  });
}
