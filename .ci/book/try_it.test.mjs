// Does what the page "Try it with" says, from its first line to its last, and compares
// what comes with what the page shows.
//
// In a block of the console, a line that begins with "$ " is a command, one that begins
// with "> " is typed into the program, and the others are what it prints. JavaScript goes
// into the console of a browser, Python into client.py. `cargo run` starts a lesson.
//
// The page about the wire view has a command, too, which is run in the same way.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { isDeepStrictEqual } from "node:util";

import { openWindow, useBrowser } from "../browser/browser.mjs";
import { start } from "../browser/server.mjs";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const PAGE = "book/src/reference/try-it.md";
const WIRE = "book/src/reference/wire-view.md";
const TARGET = process.env.CARGO_TARGET_DIR ?? `${ROOT}/target`;
/** Where a reader's client.py and virtual environment would be. */
const FOLDER = `${TARGET}/try_it`;
/** How long an answer may take, and how long an installation. */
const PATIENCE = 30_000;
const INSTALLATION = 120_000;

useBrowser();

/** The fenced blocks of a page: their language, their text and the line they begin in. */
function blocks(path) {
  const page = readFileSync(`${ROOT}/${path}`, "utf8");
  return [...page.matchAll(/^```(\w+)\n(.*?)\n```$/gms)].map(([all, language, text]) => ({
    language,
    text,
    where: `${path}:${page.slice(0, page.indexOf(all)).split("\n").length}`,
  }));
}

/** Waits until `look` finds something, and gives it. */
async function eventually(look, why, patience = PATIENCE) {
  const deadline = Date.now() + patience;
  for (;;) {
    const found = await look();
    if (found) return found;
    assert.ok(Date.now() < deadline, why());
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

/** The commands of a block, each with the lines below it. */
function commands(text) {
  const whole = text.replaceAll(/\\\n\s*/g, "");
  return whole.split(/^\$ /m).slice(1).map((command) => {
    const [line, ...shown] = command.trimEnd().split("\n");
    return { line, shown };
  });
}

/** What a terminal would show of these bytes, line by line. */
function onScreen(bytes) {
  return bytes
    .replaceAll("\x1b[1G", "\r") // To the first column.
    .replaceAll(/\x1b(\[[0-9;?]*[A-Za-z]|[78])/g, "")
    .split(/\r*\n/)
    .map((line) => line.slice(line.lastIndexOf("\r") + 1).trimEnd());
}

/** The same, without empty prompts and without the date in a response. */
const lines = (bytes) =>
  onScreen(bytes).filter((line) => !["", ">"].includes(line) && !line.startsWith("date:"));

/** Runs a command in a terminal, and types what a reader types. Gives what it shows. */
async function terminal(t, { line, shown }, where) {
  const isNode = line.startsWith("npx ");
  const child = spawn("script", ["--quiet", "--return", "--command", line, "/dev/null"], {
    // Where npx finds the version that we know.
    cwd: isNode ? `${ROOT}/.ci/interop` : FOLDER,
    env: {
      ...process.env,
      NO_PROXY: "127.0.0.1",
      PIP_CONSTRAINT: `${ROOT}/.ci/interop/requirements.txt`,
      PIP_DISABLE_PIP_VERSION_CHECK: "1",
    },
  });
  t.after(() => child.kill());
  let output = "";
  let ended = false;
  child.stdout.setEncoding("utf8").on("data", (chunk) => (output += chunk));
  child.once("exit", () => (ended = true));

  const typed = shown.filter((line) => line.startsWith("> "));
  for (const line of typed) {
    const before = shown.indexOf(line);
    const isReady = () => lines(output).length >= before && onScreen(output).at(-1) === ">";
    await eventually(isReady, () => `${where}: no prompt after ${lines(output)}`);
    child.stdin.write(`${line.slice(2)}\r`);
  }
  if (typed.length > 0) {
    const isDone = () => lines(output).length >= shown.length;
    await eventually(isDone, () => `${where}: nothing more after ${lines(output)}`);
    // The last line may come in parts.
    for (let i = 0; i < 100 && !isDeepStrictEqual(lines(output), shown); i += 1)
      await new Promise((resolve) => setTimeout(resolve, 20));
    const screen = lines(output);
    child.stdin.write("\x04\x03"); // Ctrl-D and Ctrl-C: one of them ends it.
    await eventually(() => ended, () => `${where}: ${line} does not end`);
    return screen;
  }
  const still = () => `${where}: ${line} does not end, it says ${output}`;
  await eventually(() => ended, still, INSTALLATION);
  return lines(output);
}

/** The console of a page in a browser. */
async function browserConsole(t, url) {
  const page = await openWindow(t, url);
  const printed = [];
  page.on("console", (message) => printed.push(message.text()));
  const session = await page.context().newCDPSession(page);
  return {
    page,
    printed,
    /** Types a line, as into the console: `const` is still there in the next one. */
    async type(line) {
      const { exceptionDetails } = await session.send("Runtime.evaluate", {
        expression: line,
        replMode: true,
      });
      assert.ok(!exceptionDetails, `${line}: ${exceptionDetails?.exception?.description}`);
      // A reader needs longer than a connection does.
      await page.waitForFunction("typeof socket === 'undefined' || socket.readyState !== 0");
    },
  };
}

test(`what ${PAGE} says is what happens`, { timeout: 300_000 }, async (t) => {
  mkdirSync(FOLDER, { recursive: true });
  let lesson;
  let path; // Of its page.
  let console;
  let done = 0;
  const here = (text) => text.replaceAll("127.0.0.1:8000", `127.0.0.1:${lesson?.port}`);

  for (const { language, text, where } of blocks(PAGE)) {
    if (language === "python") {
      writeFileSync(`${FOLDER}/client.py`, here(text));
    } else if (language === "javascript") {
      console ??= await browserConsole(t, `${lesson.url}${path}`);
      for (const line of text.split("\n")) await console.type(line);
    } else if (language === "text") {
      const shown = text.split("\n");
      const all = () => console.printed.length >= shown.length;
      await eventually(all, () => `${where}: the console prints ${console.printed}`);
      const why = `${where}: the page should show what the console prints`;
      assert.deepEqual(console.printed.splice(0), shown, why);
    } else {
      assert.equal(language, "console", `${where}: nobody knows how to check this block`);
      for (const { line, shown } of commands(text)) {
        const [, name] = line.match(/^cargo run -p (\w+)$/) ?? [];
        if (name) {
          // A page whose server stops asks what has happened, and its console says so.
          await console?.page.close();
          console = undefined;
          await lesson?.stop();
          lesson = await start(name, lesson?.port); // As with the reader, one port.
          path = `/${name.slice(0, "lesson_01".length)}.html`;
          t.after(() => lesson.stop());
          continue;
        }
        const command = { line: here(line), shown: shown.map(here) };
        const screen = await terminal(t, command, where);
        const isInstallation = line.includes("pip install"); // What it prints is its own.
        const why = `${where}: the page should show what this prints: ${line}`;
        if (!isInstallation) assert.deepEqual(screen, command.shown, why);
        t.diagnostic(line);
      }
    }
    done += 1;
  }
  assert.ok(done > 0, `${PAGE} shows nothing`);
});

test(`wscat gets a lane of its own, as ${WIRE} says`, { timeout: 60_000 }, async (t) => {
  const lesson = await start("lesson_01_echo");
  const page = await openWindow(t, `${lesson.url}/lesson_01.html`);
  t.after(() => lesson.stop()); // After the window, which would ask what has happened.
  await page.getByRole("button", { name: "Wire", exact: true }).click();
  const [{ text, where }] = blocks(WIRE);
  const [{ line, shown }] = commands(text);
  const cookie = (await page.context().cookies()).find(({ name }) => name === "xray");
  const [token] = cookie.value.split("."); // As a reader copies it.
  const own = line
    .replace("0123456789abcdef0123456789abcdef", token)
    .replace("127.0.0.1:8000", `127.0.0.1:${lesson.port}`);
  assert.ok(own.includes(token), `${where}: the cookie should have a number to replace`);

  const screen = await terminal(t, { line: own, shown }, where);

  assert.deepEqual(screen, shown, `${where}: the page should show what it prints`);
  const lane = page.locator("wire-view .names .lanes b", { hasText: /^Me$/ });
  await lane.waitFor().catch(() => assert.fail(`${where}: no lane has the name “Me”`));
});
