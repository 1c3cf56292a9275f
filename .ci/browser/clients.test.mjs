// The clients of the book, built and run against lesson 16: those that a reader of FastAPI
// guides knows, what they miss, and those on live.js, which miss nothing.

import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { after, before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";

import { fill, openWindow, press, sees, useBrowser } from "./browser.mjs";
import { LIMITS, NO_SERVER, answered, rejected, serve } from "./lesson.mjs";
import { freePort, start } from "./server.mjs";
import { PASSWORDS, login } from "./users.mjs";

const LESSON = "lesson_16_channels";
const FOLDER = fileURLToPath(new URL("../../book/clients", import.meta.url));
const CHAPTER = new URL("../../book/src/production/clients.md", import.meta.url);
const VITE = `${FOLDER}/node_modules/vite/bin/vite.js`;
const FRAMEWORKS = ["plain", "react", "vue"];

describe("the clients of the book", LIMITS, () => {
  useBrowser();
  const lesson = serve(LESSON);
  let built;
  let development;
  let ask;

  before(async () => {
    const build = spawnSync(process.execPath, [VITE, "build", "--logLevel", "error"], {
      cwd: FOLDER,
      encoding: "utf8",
    });
    assert.equal(build.status, 0, `vite build: ${build.stdout}${build.stderr}`);
    built = await startVite("preview", lesson.server.url);
    development = await startVite("dev", lesson.server.url);
    ask = await askAs("ana", lesson.server.url);
    await addUser("Ana");
    await addUser("Zoe");
  });
  after(() => [built, development].forEach((vite) => vite?.stop()));

  let count = 0;
  const addUser = (name) => {
    count += 1;
    return ask("POST", "/users", { name, email: `user${count}@example.org` });
  };

  /** A window in which Ana has signed in, on one of the clients. */
  async function open(t, url, options) {
    const page = await openWindow(t, lesson.server.url, options);
    await login(page);
    await page.goto(url);
    return page;
  }

  /** Holds back the list until `letGo` is called. `read` ends when the server has read it. */
  async function holdList(page) {
    let letGo;
    const held = new Promise((resolve) => (letGo = resolve));
    const read = new Promise((resolve) =>
      page.route(/\/api\/v1\/users\/?$/, async (route) => {
        const response = await route.fetch(); // The server has read the list.
        resolve();
        await held;
        await route.fulfill({ response });
      }),
    );
    return { read, letGo };
  }

  const row = (page, name) => page.locator("#users li", { hasText: name });
  const isGone = (page, name) => row(page, name).waitFor({ state: "detached" });
  const names = (page) => page.locator("#users li").allTextContents();

  for (const name of [...FRAMEWORKS.map((name) => `guide/${name}`), ...FRAMEWORKS]) {
    test(`${name}: loads the list, and shows who is added, renamed and deleted`, async (t) => {
      const page = await open(t, `${built.url}/${name}/index.html`);
      await sees(page, "#users li", "Zoe", "the list is there");
      await isFollowed(1);

      const { id } = await addUser("Dora");
      await sees(page, "#users li", "Dora", "she appears");
      await ask("PATCH", `/users/${id}`, { name: "Theodora" });
      await sees(page, "#users li", "Theodora", "her new name appears");
      await ask("DELETE", `/users/${id}`);
      await isGone(page, "Theodora");
      assert.equal((await names(page)).length, 2, "the others stay");
    });
  }

  /** Waits until so many sockets follow the users. */
  async function isFollowed(times) {
    for (let i = 0; i < 100; i += 1) {
      const { channels } = await ask("GET", "/ws/stats");
      if (channels.users === times) return;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    assert.fail(`the channel should have ${times} subscribers`);
  }

  for (const name of FRAMEWORKS) {
    test(`guide/${name}: misses who is added while the list is on its way`, async (t) => {
      const list = {};
      let tells;
      const told = new Promise((resolve) => (tells = resolve));
      const page = await open(t, `${built.url}/guide/${name}/index.html`, {
        prepare: async (page) => {
          Object.assign(list, await holdList(page));
          page.on("websocket", (socket) =>
            socket.on("framereceived", ({ payload }) => `${payload}`.includes("Dora") && tells()),
          );
        },
      });
      await list.read;
      // That one opens its socket at once, the others do so when the list is there.
      const hears = name === "react";
      if (hears) await isFollowed(1);
      const { id } = await addUser("Dora");
      if (hears) {
        await told;
        await page.evaluate(() => {}); // It has added her, and now comes the list without her.
      }
      list.letGo();

      await sees(page, "#users li", "Zoe", "the list is there");
      await isFollowed(1);
      assert.equal(await row(page, "Dora").count(), 0, "but Dora is not in it");

      await ask("DELETE", `/users/${id}`);
      if (name === "react") {
        await addUser("Emil").then(({ id }) => ask("DELETE", `/users/${id}`));
        await isGone(page, "Emil");
        await sees(page, "#users li", "Zoe", "`filter` removes nobody else");
      } else {
        await isGone(page, "Zoe"); // `splice(-1, 1)` takes the last row.
      }
    });

    test(`${name}: misses nobody`, async (t) => {
      const list = {};
      const page = await open(t, `${built.url}/${name}/index.html`, {
        prepare: async (page) => Object.assign(list, await holdList(page)),
      });
      await list.read;
      const { id } = await addUser("Dora");
      list.letGo();

      await sees(page, "#users li", "Dora", "Dora is there");
      await ask("DELETE", `/users/${id}`);
      await isGone(page, "Dora");
      await sees(page, "#users li", "Zoe", "and nobody else has gone");
    });
  }

  test("guide/react: without a cookie it ends with a TypeError and an empty page", async (t) => {
    let said;
    const crashed = /\.map is not a function/;
    const page = await openWindow(t, `${built.url}/guide/react/index.html`, {
      excused: [crashed, answered(401), rejected(401), /WebSocket/],
      prepare: (page) => page.once("pageerror", ({ message }) => (said = message)),
    });

    await page.locator("h1").waitFor({ state: "detached" });
    assert.equal(await page.locator("#app").innerHTML(), "", "nothing is left of the page");
    assert.match(said, crashed, "and the console says why");
  });

  test("react: asks to sign in, and goes on", async (t) => {
    const page = await openWindow(t, `${built.url}/react/index.html`, {
      excused: [answered(401), rejected(401)],
    });
    await sees(page, "#state", "signed out", "it has asked over HTTP why");

    await fill(page, "Name", "ana");
    await fill(page, "Password", "let me in");
    await press(page, "Sign in");
    await sees(page, "form p", "Wrong name or password.", "it says why not");
    await fill(page, "Name", "ana");
    await fill(page, "Password", PASSWORDS.ana);
    await press(page, "Sign in");

    await sees(page, "#state", "live", "the table is live");
  });

  test("the address that vite prints leads to all clients", async (t) => {
    const page = await open(t, development.url, {
      excused: [/closed before the connection is established/], // Strict mode, see below.
    });
    const links = page.getByRole("link");

    const clients = await links.evaluateAll((links) => links.map(({ href }) => href));
    assert.equal(clients.length, 2 * FRAMEWORKS.length, "three of the guides, three of ours");
    for (const client of clients) {
      await page.goto(client);
      await sees(page, "#users li", "Zoe", `${client} shows the users`);
    }
  });

  test("the chapter names the Node.js that vite asks for", () => {
    const { engines } = JSON.parse(readFileSync(`${FOLDER}/node_modules/vite/package.json`));
    const chapter = readFileSync(CHAPTER, "utf8");

    for (const [version] of engines.node.matchAll(/\d+\.\d+/g))
      assert.ok(chapter.includes(version), `vite asks for ${engines.node}, and so for ${version}`);
  });

  /** Counts the sockets of a page that are open. */
  function countSockets(page, open) {
    page.on("websocket", (socket) => {
      if (!socket.url().includes("/api/v1/ws/")) return; // Vite has one of its own.
      open.add(socket);
      socket.on("close", () => open.delete(socket));
    });
  }

  test("react: strict mode and two components leave one socket", async (t) => {
    const sockets = new Set();
    const page = await open(t, `${development.url}/react/index.html`, {
      prepare: (page) => countSockets(page, sockets),
    });
    await sees(page, "#state", "live", "the table is live");
    await sees(page, "#count", "2", "both components have it");

    await press(page, "Hide the list");
    await press(page, "Show the list");

    await sees(page, "#users li", "Zoe", "the list is there again");
    await sees(page, "#state", "live", "and is live");
    await isFollowed(1);
    assert.equal(sockets.size, 1, "the browser says the same");
  });

  test("vue: two components have one socket", async (t) => {
    const sockets = new Set();
    const page = await open(t, `${development.url}/vue/index.html`, {
      prepare: (page) => countSockets(page, sockets),
    });
    await sees(page, "#state", "live", "the first one is live");

    await page.evaluate(async () => {
      document.querySelector("#app").id = "first";
      document.body.append(Object.assign(document.createElement("div"), { id: "app" }));
      await import("/vue/main.js?again"); // It mounts a second component there.
    });

    await sees(page, "#app #state", "live", "the second one is live, too");
    await isFollowed(1);
    assert.equal(sockets.size, 1, "the browser says the same");
  });

  test("shared.js: nobody is followed for a page that shows nobody", async (t) => {
    const page = await open(t, `${development.url}/guide/plain/index.html`);
    await isFollowed(1); // Its own socket is not what we count.

    const { opened, seen } = await page.evaluate(async () => {
      const opened = [];
      const seen = [];
      const Real = WebSocket;
      window.WebSocket = class extends Real {
        constructor(...all) {
          super(...all);
          opened.push(this);
        }
      };
      const { shared } = await import("/shared.js");
      const users = shared("users");
      const end = users.subscribe(() => seen.push(users.read().state));
      end();
      users.restart(); // Whoever waited for the sign-in has gone meanwhile.
      return { opened: opened.length, seen };
    });

    assert.equal(opened, 1, "the one for the component that was there");
    assert.deepEqual(seen, ["connecting"], "and it was told");
  });

  test("guide/react: strict mode closes a socket that is not open yet", async (t) => {
    const early = /closed before the connection is established/;
    const warnings = [];
    const page = await open(t, `${development.url}/guide/react/index.html`, {
      excused: [early],
      prepare: (page) => page.on("console", (message) => warnings.push(message.text())),
    });

    await sees(page, "#users li", "Zoe", "the list is there");
    await isFollowed(1);
    assert.ok(warnings.some((text) => early.test(text)), "the browser complains");
  });

  test("a cookie for 127.0.0.1 is none for localhost", async (t) => {
    const page = await open(t, `${built.url}/plain/index.html`, {
      excused: [answered(401), rejected(401)],
    });
    await sees(page, "#state", "live", "here we have signed in");

    await page.goto(`${built.url.replace("127.0.0.1", "localhost")}/plain/index.html`);

    await sees(page, "#state", "signed out", "it is another host");
  });

  test("a proxy that changes the host: the list comes, and the socket gets 403", async (t) => {
    const { preview } = await import(`${FOLDER}/node_modules/vite/dist/node/index.js`);
    const target = lesson.server.url;
    const port = await freePort();
    const vite = await preview({
      root: FOLDER,
      logLevel: "error",
      preview: { host: "127.0.0.1", port, proxy: { "/api": { target, changeOrigin: true } } },
    });
    t.after(() => vite.close());
    let isRejected;
    const rejection = new Promise((resolve) => (isRejected = resolve));
    const page = await open(t, `http://127.0.0.1:${port}/guide/plain/index.html`, {
      excused: [rejected(403)],
      // From the beginning: the browser may complain before the list is there.
      prepare: (page) =>
        page.on("console", (message) => rejected(403).test(message.text()) && isRejected()),
    });

    await sees(page, "#users li", "Zoe", "a GET has no Origin");
    await rejection;
  });
});

describe("the clients of the book, when the server restarts", LIMITS, () => {
  useBrowser();
  const folder = mkdtempSync(`${tmpdir()}/clients-`);
  after(() => rmSync(folder, { recursive: true }));

  test("those of the guides keep the old list, and those on live.js come back", async (t) => {
    const env = { JWT_SECRET: "only for this test, but long enough", DATABASE: `${folder}/db` };
    const excused = [NO_SERVER, /WebSocket|status of 50\d/];
    const first = await start(LESSON, 0, env);
    t.after(() => first.stop());
    const vite = await startVite("preview", first.url);
    t.after(() => vite.stop());
    let ask = await askAs("ana", first.url);
    await ask("POST", "/users", { name: "Ana", email: "ana@example.org" });
    const ana = await openWindow(t, first.url, { excused });
    await login(ana);
    const open = async (name) => {
      const url = `${vite.url}/${name}/index.html`;
      const page = await openWindow(t, url, { beside: ana, excused });
      await sees(page, "#users li", "Ana", "the list is there");
      return page;
    };
    const guides = await Promise.all(FRAMEWORKS.map((name) => open(`guide/${name}`)));
    const clients = await Promise.all(FRAMEWORKS.map(open));

    await first.stop();
    for (const page of clients) await sees(page, "#state", "reconnecting", "it says so");
    const second = await start(LESSON, first.port, env);
    t.after(() => second.stop());
    ask = await askAs("ana", second.url);
    await ask("POST", "/users", { name: "Ben", email: "ben@example.org" });

    const names = (page) => page.locator("#users li").allTextContents();
    for (const page of clients) await sees(page, "#users li", "Ben", "it has come back");
    for (const page of guides)
      assert.deepEqual(await names(page), ["Ana, ana@example.org"], "it says nothing");

    for (let i = 3; i <= 101; i += 1)
      await ask("POST", "/users", { name: `User ${i}`, email: `${i}@example.org` });
    const [guide, client] = [await open("guide/plain"), clients[0]];
    await sees(client, "#users li", "User 101", "it has received each of them");
    await client.reload();
    await sees(client, "#users li", "User 101", "it loads both parts of the list");
    assert.equal((await names(guide)).length, 100, "this one has loaded the first part");
  });
});

/** Asks the API of a server as somebody. */
async function askAs(name, url) {
  const send = (method, path, body, headers = {}) =>
    fetch(`${url}${path}`, {
      method,
      headers: { "Content-Type": "application/json", ...headers },
      body: body && JSON.stringify(body),
    });
  const { token } = await (
    await send("POST", "/login", { username: name, password: PASSWORDS[name] })
  ).json();
  return async (method, path, body) => {
    const reply = await send(method, `/api/v1${path}`, body, {
      Authorization: `Bearer ${token}`,
    });
    assert.ok(reply.ok, `${method} ${path}: ${reply.status}`);
    return reply.status === 204 ? null : reply.json();
  };
}

/** Starts vite, which serves the clients and passes on to the lesson what it does not know. */
async function startVite(command, server) {
  const port = await freePort();
  const child = spawn(
    process.execPath,
    [VITE, command, "--host", "127.0.0.1", "--port", `${port}`, "--strictPort"],
    { cwd: FOLDER, env: { ...process.env, SERVER: server, NO_COLOR: "1" } },
  );
  const stop = () => child.kill();
  process.once("exit", stop);
  let said = "";
  for await (const chunk of child.stdout) {
    said += chunk;
    if (said.includes(`:${port}`)) break;
  }
  assert.ok(said.includes(`:${port}`), `vite ${command} should start: ${said}`);
  return { stop, url: `http://127.0.0.1:${port}` };
}
