// The page of lesson 22, over HTTP as all others, and over TLS.

import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { openWindow, say, sees, useBrowser } from "./browser.mjs";
import { LIMITS, connected, everyPage, serve } from "./lesson.mjs";
import { start } from "./server.mjs";
import { enter, login } from "./users.mjs";

describe("lesson 22, the edge", LIMITS, () => {
  useBrowser();
  const lesson = serve("lesson_22_edge");
  everyPage(lesson, { enter, login, path: "/ws/chat/quiet" });

  /** Starts a server of its own with TLS. Gives the address of its page. */
  async function encrypted(t) {
    const server = await start(lesson.name, 0, { TLS_ADDR: "127.0.0.1:0" });
    t.after(() => server.stop());
    const deadline = Date.now() + 10_000;
    while (Date.now() < deadline) {
      const port = /TLS on port (\d+)/.exec(server.output())?.[1];
      if (port) return `https://localhost:${port}/${lesson.page}`;
      await new Promise((resolve) => setTimeout(resolve, 10)); // The log may be behind.
    }
    return assert.fail(`there is no port for TLS: ${server.output()}`);
  }

  test("a page that came over https talks over wss, and its cookie is secure", async (t) => {
    const sockets = [];
    // The window first: it is closed before the server stops.
    const page = await openWindow(t, "", {
      ignoreHTTPSErrors: true,
      prepare: (page) => page.on("websocket", (socket) => sockets.push(socket.url())),
    });
    await page.goto(await encrypted(t));

    await enter(page, "ana");
    await connected(page);
    await say(page, "Is anybody listening?");

    await sees(page, "#log .sent", "Is anybody listening?", "the chat comes back");
    assert.match(sockets.at(-1), /^wss:\/\/localhost:/, "the socket is encrypted, too");
    const cookie = (await page.context().cookies()).find(({ name }) => name.endsWith("_token"));
    assert.equal(cookie?.secure, true, "the browser never sends it in the clear");
  });

  test("a certificate that nobody knows is not accepted by itself", async (t) => {
    const page = await openWindow(t, "", { excused: [/ERR_CERT_AUTHORITY_INVALID/] });
    const url = await encrypted(t);

    await assert.rejects(page.goto(url), /ERR_CERT_AUTHORITY_INVALID/, "there is a warning");
  });
});
