// The same live table in plain JavaScript, React and Vue, as the book shows it: built, and
// run against lesson 14, whose users are changed meanwhile.

import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { createServer } from "node:net";
import { after, before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";

import { openWindow, sees, useBrowser } from "./browser.mjs";
import { LIMITS, serve } from "./lesson.mjs";

const FOLDER = fileURLToPath(new URL("../../book/clients", import.meta.url));
const VITE = `${FOLDER}/node_modules/vite/bin/vite.js`;

describe("the clients of the book", LIMITS, () => {
  useBrowser();
  const lesson = serve("lesson_14_live_data");
  const servers = {};

  before(async () => {
    const built = spawnSync(process.execPath, [VITE, "build", "--logLevel", "error"], {
      cwd: FOLDER,
      encoding: "utf8",
    });
    assert.equal(built.status, 0, `vite build: ${built.stdout}${built.stderr}`);
    servers.built = await startVite("preview");
    servers.development = await startVite("dev");
  });
  after(() => Object.values(servers).forEach(({ child }) => child.kill()));

  /** Starts vite, which serves the clients and passes on to the lesson what it does not know. */
  async function startVite(command) {
    const port = await freePort();
    const child = spawn(
      process.execPath,
      [VITE, command, "--host", "127.0.0.1", "--port", `${port}`, "--strictPort"],
      { cwd: FOLDER, env: { ...process.env, SERVER: lesson.server.url, NO_COLOR: "1" } },
    );
    process.once("exit", () => child.kill());
    let said = "";
    for await (const chunk of child.stdout) {
      said += chunk;
      if (said.includes(`:${port}`)) break;
    }
    assert.ok(said.includes(`:${port}`), `vite ${command} should start: ${said}`);
    return { child, url: `http://127.0.0.1:${port}` };
  }

  const signIn = (page) =>
    page.evaluate(() =>
      fetch("/login", {
        method: "POST",
        headers: { "Content-Type": "application/json" },
        body: JSON.stringify({ username: "ana", password: "ana-likes-tea" }),
      }).then((reply) => reply.text().then(() => reply.status)),
    );
  const ask = (page, method, path, body) =>
    page.evaluate(
      ([method, path, body]) =>
        fetch(`/api/v1${path}`, {
          method,
          headers: { "Content-Type": "application/json" },
          body: JSON.stringify(body),
        }).then((reply) => (reply.status === 204 ? null : reply.json())),
      [method, path, body],
    );

  for (const name of ["plain", "react", "vue"]) {
    test(`${name}: a user who is added by REST appears, and goes again`, async (t) => {
      const page = await openWindow(t, lesson.server.url);
      assert.equal(await signIn(page), 200, "Ana signs in");
      await page.goto(`${servers.built.url}/${name}/index.html`);
      await sees(page, "#state", "live", "the table is live");

      const user = { name: `Dora (${name})`, email: `dora@${name}.example` };
      const { id } = await ask(page, "POST", "/users", user);

      await sees(page, "#users li", user.name, "she appears in the table");
      await ask(page, "DELETE", `/users/${id}`);
      await page.locator("#users li", { hasText: user.name }).waitFor({ state: "detached" });
    });
  }

  test("react: the double effect of strict mode leaves one socket", async (t) => {
    const open = new Set();
    const page = await openWindow(t, lesson.server.url, {
      prepare: (page) =>
        page.on("websocket", (socket) => {
          if (!socket.url().includes("/api/v1/ws/")) return; // Vite has one of its own.
          open.add(socket);
          socket.on("close", () => open.delete(socket));
        }),
    });
    await signIn(page);

    await page.goto(`${servers.development.url}/react/index.html`);
    await sees(page, "#state", "live", "the table is live");

    const { clients } = await ask(page, "GET", "/ws/stats");
    assert.equal(clients, 1, "what strict mode started first has been ended");
    assert.equal(open.size, 1, "the browser says the same");
  });
});

async function freePort() {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address();
  server.close();
  await once(server, "close");
  return port;
}
