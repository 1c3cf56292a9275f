// Tries every page of the book: wide and narrow, light and dark, and on paper.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { spawn } from "node:child_process";
import { createServer } from "node:http";
import { after, before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";

import { openWindow, useBrowser } from "../browser/browser.mjs";
import { findings } from "../browser/everybody.mjs";
import { start } from "../browser/server.mjs";
import { MDBOOK, PAGES, ROOT, serveBook } from "./book.mjs";

useBrowser();

let book;
before(async () => {
  book = await serveBook(3000);
});
after(() => book.close());

const at = (page) => book.at(page);

/** How bright a colour of CSS is, from 0 to 1. */
const BRIGHTNESS = `(colour) => {
  const [r, g, b] = colour.match(/[\\d.]+/g).map(Number);
  return (0.2126 * r + 0.7152 * g + 0.0722 * b) / 255;
}`;

test("an old address leads to the chapter, and to the part of it", { timeout: 60_000 }, async (t) => {
  const settings = readFileSync(new URL("book/book.toml", ROOT), "utf8");
  const redirects = [...settings.matchAll(/^"\/(.+\.html)" = "(.+\.html)"$/gm)];
  assert.ok(redirects.length > 0, "book.toml should have a table of old addresses");
  for (const [, old, current] of redirects) {
    const page = await openWindow(t, at(`${old}#the-code`));
    await page.waitForURL((url) => url.pathname.endsWith(`/${current}`) && url.hash === "#the-code");
    await page.locator("main h1").waitFor();
    await page.close();
  }
});

test("the search finds a word", { timeout: 60_000 }, async (t) => {
  const page = await openWindow(t, at(PAGES[0]));
  await page.keyboard.press("s");
  await page.locator("#mdbook-searchbar, #searchbar").first().pressSequentially("outbox");
  const results = page.locator("#mdbook-searchresults li, #searchresults li");
  await results.first().waitFor();
  assert.ok((await results.count()) > 2, "several pages speak of outboxes");
});

test("all of it on one page, with everything unfolded", { timeout: 60_000 }, async (t) => {
  const page = await openWindow(t, null, { prepare: (p) => p.addInitScript("window.print = () => {}") });
  await page.goto(at("print.html"), { timeout: 40_000 }); // It is 60 pages at once.
  await page.emulateMedia({ media: "print" });
  const { titles, height } = await page.evaluate(() => ({
    titles: document.querySelectorAll("main h1").length,
    height: document.querySelector("details.diff pre").getBoundingClientRect().height,
  }));
  assert.ok(titles >= PAGES.length, `${titles} of ${PAGES.length} chapters`);
  assert.ok(height > 20, "what is folded is open on paper");
});

/** Replays a transcript of a page, and gives the lines that were not true. */
async function replay(page, i, url) {
  await page.evaluate(
    ([i, url]) => document.querySelectorAll("ws-lab")[i].setAttribute("server", url),
    [i, url],
  );
  const lab = page.locator("ws-lab").nth(i);
  await lab.getByRole("button", { name: "Replay" }).click();
  const lines = () =>
    lab.evaluate((lab) => {
      const kinds = (kind) =>
        [...lab.shadowRoot.querySelectorAll(kind)].map((line) => line.textContent);
      return { wrong: kinds("li.false"), right: kinds("li.true"), all: kinds("li") };
    });
  const spoken = (all) => all.filter((line) => line.trim() && !line.startsWith("#"));
  const deadline = Date.now() + 30_000;
  for (;;) {
    const { wrong, right, all } = await lines();
    if (wrong.length > 0 || right.length >= spoken(all).length) return wrong;
    if (Date.now() > deadline) return spoken(all).filter((line) => !right.includes(line));
    await page.waitForTimeout(50);
  }
}

/** In an order of chance. */
const shuffled = (list) =>
  list.map((entry) => [Math.random(), entry]).sort(([a], [b]) => a - b).map(([, entry]) => entry);

// The exercises wait for a minute, one after the other. Meanwhile the others have their turn.
describe("side by side", { concurrency: 3 }, () => {
  test("the exercises are replayed against one server, three times, in any order", {
    timeout: 400_000,
  }, async (t) => {
    const solutions = await start("solutions");
    t.after(() => solutions.stop());
    const pages = [];
    for (const name of PAGES.filter((name) => name.startsWith("exercises/"))) {
      const page = await openWindow(t, at(name));
      const labs = page.locator('ws-lab[package="exercises"]');
      const waits = await labs.evaluateAll((labs) =>
        labs.map(({ textContent }) =>
          [...textContent.matchAll(/(?:waits|nothing for) +(\d+)s$/gm)].reduce((sum, [, s]) => sum + Number(s), 0),
        ),
      );
      // What waits for minutes is for `cargo test`, on virtual time.
      waits.forEach((seconds, i) => seconds < 60 && pages.push({ name, page, i }));
    }
    assert.ok(pages.length > 5, `${pages.length} exercises have a transcript`);

    const order = [...shuffled(pages), ...shuffled(pages), ...shuffled(pages)];
    const before = [];
    for (const { name, page, i } of order) {
      before.push(name);
      assert.deepEqual(await replay(page, i, solutions.url), [], `in this order: ${before.join(", ")}`);
    }
  });

  // Width and colour have nothing to do with each other, so two windows show both.
  for (const [width, colorScheme] of [
    [1200, "light"],
    [360, "dark"],
  ]) {
    test(`every page, ${width} wide, ${colorScheme}`, { timeout: 240_000 }, async (t) => {
      for (const name of PAGES) {
        const page = await openWindow(t, at(name), {
          colorScheme,
          viewport: { width, height: 800 },
        });
        const seen = await page.evaluate(
          ([brightness]) => {
            const bright = eval(brightness);
            const root = document.documentElement;
            const ink = (element) => bright(getComputedStyle(element).color);
            return {
              title: document.querySelector("main h1")?.textContent,
              tooWide: root.scrollWidth - root.clientWidth,
              paper: bright(getComputedStyle(root).backgroundColor),
              drawings: [...document.querySelectorAll(".drawing svg")].map(ink),
              sizes: [...document.querySelectorAll(".drawing svg")].map(
                (svg) => (svg.getBoundingClientRect().width / 420) * 14,
              ),
              leftOver: document.querySelector("main").textContent.includes("{{#"),
              labs: [...document.querySelectorAll("ws-lab")].map((lab) => !!lab.shadowRoot),
            };
          },
          [BRIGHTNESS],
        );

        const where = `${name}, ${width} wide, ${colorScheme}`;
        assert.ok(seen.title, `${where}: it should have a title`);
        assert.ok(seen.tooWide <= 0, `${where}: ${seen.tooWide} pixels too wide`);
        assert.equal(seen.paper < 0.5, colorScheme === "dark", `${where}: paper`);
        for (const ink of seen.drawings) {
          const contrast = Math.abs(ink - seen.paper);
          assert.ok(contrast > 0.4, `${where}: a drawing is hard to see (${contrast})`);
        }
        for (const size of seen.sizes) {
          assert.ok(size > 9, `${where}: the letters of a drawing are ${size} high`);
        }
        assert.ok(!seen.leftOver, `${where}: a directive was not filled`);
        assert.ok(!seen.labs.includes(false), `${where}: a transcript has no Replay`);
        await page.close();
      }
    });
  }

  // Lessons 19 and 23 are clients, so there is nothing to replay their chapters against.
  const clients = ["lessons/19-client.html", "lessons/23-load.html"];
  const servers = PAGES.filter((name) => name.startsWith("lessons/") && !clients.includes(name));
  for (const name of servers) {
    test(`a transcript of ${name} is replayed, where it stands`, { timeout: 120_000 }, async (t) => {
      const refusals = [/Unexpected response code/, /HTTP Authentication failed/];
      const excused = [...refusals, /the server responded with a status of/];
      const page = await openWindow(t, at(name), { excused });
      const programs = await page.locator("ws-lab").evaluateAll((labs) =>
        labs.map((lab) => lab.getAttribute("package")),
      );
      assert.ok(programs.length > 0, "a lesson has a transcript");
      assert.equal(new Set(programs).size, 1, "all of a chapter are of one lesson");
      // One is enough: the lab's tests replay each of them.
      const lesson = await start(programs[0]);
      t.after(() => lesson.stop());
      assert.deepEqual(await replay(page, 0, lesson.url), []);
    });
  }
});

const HANDSHAKE = "reference/handshake.html";

/** Asks the handshake page for the handshake of the server at `url`. */
async function showHandshake(page, url) {
  const element = page.locator("ws-handshake");
  await element.evaluate((element, url) => element.setAttribute("server", url), url);
  await element.getByRole("button", { name: "Show the handshake" }).click();
  await element.locator("output", { hasText: "." }).waitFor();
  return element;
}

test("the handshake page shows what lesson 01 really received and sent", { timeout: 60_000 }, async (t) => {
  const lesson = await start("lesson_01_echo");
  t.after(() => lesson.stop());
  const page = await openWindow(t, at(HANDSHAKE));

  const keys = [];
  for (let time = 0; time < 2; time += 1) {
    const element = await showHandshake(page, lesson.url);
    const sentence = await element.locator("output").innerText();
    assert.match(sentence, /accepted the upgrade/);
    await element.getByText("✓ The server sent the same").waitFor();
    const titles = await element.getByRole("heading", { level: 2 }).allTextContents();
    assert.deepEqual(
      titles,
      ["The upgrade request", "The answer to the upgrade", "A text frame", "A text frame"],
      sentence,
    );
    const heads = (await element.locator("ol.head li").allTextContents()).join("\n");
    assert.match(heads, /^GET \/ws HTTP\/1\.1$/m);
    assert.match(heads, /^Origin: http:\/\/127\.0\.0\.1:3000$/m);
    assert.match(heads, /^HTTP\/1\.1 101 Switching Protocols$/m);
    assert.match(heads, /^Cookie: xray=●●●$/m);
    await element.getByText("Echo: Hello").waitFor();
    keys.push(/^Sec-WebSocket-Key: (.+)$/m.exec(heads)?.[1]);
  }
  assert.notEqual(keys[0], keys[1], "each handshake has a key of its own");
  assert.deepEqual(await findings(page, MDBOOK), []);
});

test("the handshake page says what to run", { timeout: 60_000 }, async (t) => {
  const excused = [/ERR_CONNECTION_REFUSED/];
  const page = await openWindow(t, at(HANDSHAKE), { excused });
  const gone = await start("lesson_01_echo");
  await gone.stop();

  const element = await showHandshake(page, gone.url);

  const sentence = await element.locator("output").innerText();
  assert.match(sentence, /No server of the course answers .*: cargo run -p lesson_01_echo$/);
  const defaults = await page.evaluate(() => document.createElement("ws-handshake").server);
  assert.equal(defaults, "http://127.0.0.1:8000", "the reader's server is on the page's host");
});

test("the handshake page says so if the book is served where no server answers it", { timeout: 60_000 }, async (t) => {
  const lesson = await start("lesson_01_echo");
  t.after(() => lesson.stop());
  const other = await serveBook();
  t.after(() => other.close());
  const page = await openWindow(t, other.at(HANDSHAKE), { excused: [/CORS|403|ERR_FAILED/] });

  const element = await showHandshake(page, lesson.url);

  const sentence = await element.locator("output").innerText();
  assert.match(sentence, /^A server answers at .*, but not to the pages of /);
  assert.match(sentence, /Open this page at http:\/\/127\.0\.0\.1:3000 or .*, where it is known/);
});

test("a transcript says so, too, if a line is false there", { timeout: 60_000 }, async (t) => {
  const lesson = await start("lesson_08_auth");
  t.after(() => lesson.stop());
  const echo = await start("lesson_01_echo");
  t.after(() => echo.stop());
  const other = await serveBook();
  t.after(() => other.close());
  const excused = [/CORS|403|ERR_FAILED|HTTP Authentication failed/];
  const page = await openWindow(t, other.at("lessons/08-auth.html"), { excused });

  const wrong = await replay(page, 0, lesson.url);

  assert.equal(wrong.length, 1, "a server with sign-in rejects what it does not know");
  const said = await page.locator("ws-lab output").first().innerText();
  assert.match(said, /^Line \d+ is false\. A server answers at .*, but not to the pages of /);
  assert.match(said, /Open this page at http:\/\/127\.0\.0\.1:3000 or .*: mdbook serve book$/);

  await page.goto(other.at("lessons/01-echo.html"));
  assert.deepEqual(await replay(page, 0, echo.url), [], "lesson 01 accepts every page");
});

test("the worksheet of lesson 23 calculates with other numbers", { timeout: 60_000 }, async (t) => {
  const page = await openWindow(t, at("lessons/23-load.html"));
  const sheet = page.locator("load-worksheet");
  const answer = (what) =>
    sheet.evaluate((sheet, what) => {
      const terms = [...sheet.shadowRoot.querySelectorAll("dt")];
      return terms.find((term) => term.textContent === what)?.nextSibling.textContent;
    }, what);
  const fill = (label, number) => sheet.getByLabel(label).fill(number);

  await fill("Connections at the busiest hour", "240000");
  await fill("Memory for each, in the process and in the kernel", "32");
  await fill("Members of a room", "100");
  await fill("The processor's time for a delivery", "2");

  assert.equal(await answer("Messages a second"), "4,000", "everybody writes once a minute");
  assert.equal(await answer("Deliveries a second"), "400,000", "a hundred for each message");
  assert.equal(await answer("Memory for connections, MiB"), "7,500");
  assert.equal(await answer("Processors in use"), "0.8");
  // 7,500 MiB in halves of 2 GiB are eight machines, and one more.
  assert.equal(await answer("Machines, one of which may fail"), "9", "memory decides here");
  assert.equal(await answer("Open files of each, when one has failed"), "30,000");

  await fill("Members of a room", "");
  assert.equal(await answer("Deliveries a second"), "–", "without a number there is no answer");
});

test("without scripts the handshake page still has its text", { timeout: 60_000 }, async (t) => {
  const page = await openWindow(t, at(HANDSHAKE), { javaScriptEnabled: false });
  await page.getByText("This part needs a browser that runs scripts.").waitFor();
  await page.getByText("sec-websocket-accept:", { exact: false }).first().waitFor();
});

/** What a page hears from a wrong way of the book. */
async function wrongWay(t, name, talk) {
  const program = fileURLToPath(new URL("target/debug/examples/wrong", ROOT));
  const child = spawn(program, [name], { stdio: ["ignore", "pipe", "inherit"] });
  t.after(() => child.kill());
  const url = await new Promise((resolve) => child.stdout.once("data", (line) => resolve(`${line}`.trim())));
  const page = await openWindow(t, at(PAGES[0]));
  return page.evaluate(
    ([url, talk]) =>
      new Promise((resolve) => {
        const socket = new WebSocket(url.replace("http", "ws") + "/ws");
        socket.addEventListener("open", () => eval(talk)(socket));
        socket.addEventListener("close", ({ code, reason, wasClean }) =>
          resolve(`close: code ${code}, reason "${reason}", wasClean ${wasClean}\n`),
        );
      }),
    [url, talk],
  );
}

for (const [name, talk] of [
  ["02_return_on_close", "(socket) => socket.close(1000)"],
  ["06_disconnect_on_error", `(socket) => socket.send('{"type":"png"}')`],
]) {
  test(`the browser says of ${name} what the book shows`, { timeout: 60_000 }, async (t) => {
    const shown = readFileSync(new URL(`book/wrong/${name}.txt`, ROOT), "utf8");
    assert.equal(await wrongWay(t, name, talk), shown, `book/wrong/${name}.txt:1`);
  });
}

/** What a server on `host` receives when a page of `from` opens a WebSocket to it. */
async function upgradeFrom(t, page, from, port) {
  const pages = createServer((_, answer) => answer.end("<title>a page</title>"));
  await new Promise((resolve) => pages.listen(0, "0.0.0.0", resolve));
  t.after(() => pages.close());
  await page.goto(`http://${from}:${pages.address().port}/`);
  await page.evaluate(
    (url) =>
      new Promise((resolve) => new WebSocket(url).addEventListener("close", resolve)),
    `ws://127.0.0.1:${port}/ws`,
  );
}

test("lesson 08: which pages send our cookie along", { timeout: 60_000 }, async (t) => {
  const received = [];
  const server = createServer((_, answer) => {
    answer.setHeader("Set-Cookie", "token=secret; HttpOnly; SameSite=Strict; Path=/");
    answer.end("<title>our page</title>");
  });
  server.on("upgrade", ({ headers }, socket) => {
    received.push({ origin: headers.origin, cookie: headers.cookie });
    socket.end("HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n");
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  t.after(() => server.close());
  const { port } = server.address();
  const excused = [/Unexpected response code/, /ERR_/];
  const page = await openWindow(t, `http://127.0.0.1:${port}/`, { excused });

  await upgradeFrom(t, page, "127.0.0.1", port);
  await upgradeFrom(t, page, "localhost", port);

  const cookies = received.map(({ cookie }) => cookie);
  assert.deepEqual(cookies, ["token=secret", undefined], "same site, and another site");
  assert.ok(received.every(({ origin }) => origin), "the browser names both origins");
});

test("lessons 02 and 03: a closed window sends 1001", { timeout: 60_000 }, async (t) => {
  const lesson = await start("lesson_02_disconnect");
  t.after(() => lesson.stop());
  const page = await openWindow(t, `${lesson.url}/lesson_02.html`);
  await page.getByText("Connected.").waitFor();

  await page.close();

  const expected = "client disconnected disconnect=ByClient(Some(1001))";
  const deadline = Date.now() + 10_000;
  while (!lesson.output().includes(expected)) {
    assert.ok(Date.now() < deadline, `the log should have it: ${lesson.output()}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
});
