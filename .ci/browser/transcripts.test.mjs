// Every transcript of the book, replayed in a browser: the true ones are true, the false
// ones are false in the line after "#!", and the broken ones cannot be read.
// `cargo test` says the same of the same files.

import assert from "node:assert/strict";
import { readFileSync, readdirSync } from "node:fs";
import { describe, test } from "node:test";

import { openWindow, useBrowser } from "./browser.mjs";
import { start } from "./server.mjs";
import { parse } from "../../static/transcript.js";

const FOLDER = new URL("../../book/transcripts/", import.meta.url);
const LIMITS = { timeout: 480_000, concurrency: 4 };

/** What the browser itself logs when a server rejects an upgrade, as it should. */
const REJECTIONS = [
  /Unexpected response code/,
  /HTTP Authentication failed/,
  /status of 4\d\d/,
];

/** The programs that run a folder's transcripts, where they have another name. */
const PROGRAMS = { exercises: "solutions" };

const entries = (folder) => readdirSync(new URL(folder, FOLDER), { withFileTypes: true });
const transcriptsOf = (folder) =>
  entries(folder)
    .filter((entry) => entry.name.endsWith(".txt"))
    .map((entry) => `${folder}/${entry.name}`);
const read = (transcript) => readFileSync(new URL(transcript, FOLDER), "utf8");

/** Folders whose transcripts are replayed a second time, if that takes a few seconds. */
const REPEATED = ["exercises"];

/** How long a transcript waits, in milliseconds. */
const duration = (text) =>
  parse(text).reduce((sum, step) => sum + (step.time ?? step.nothingFor ?? 0), 0);

/** Replays a transcript in a page of its own server: the line that is false, and why. */
async function replayed(t, server, text, times = 1) {
  const page = await openWindow(t, server.url, { excused: REJECTIONS });
  return page.evaluate(async ([text, times]) => {
    const { parse, pause, replay } = await import("/transcript.js");
    const steps = parse(text);
    let verdicts;
    for (let time = 0; time < times; time += 1) {
      if (time > 0) await pause(500); // Until the server sees that all have left.
      verdicts = [];
      const isTrue = await replay(steps, location.origin, ({ line }, came) =>
        verdicts.push({ line, came: came ?? "" }),
      );
      if (!isTrue) break;
    }
    const last = verdicts.at(-1);
    return last.came
      ? last
      : { line: undefined, came: "", ran: verdicts.length, of: steps.length };
  }, [text, times]);
}

describe("the transcripts", LIMITS, () => {
  useBrowser();

  for (const folder of entries(".").filter((entry) => entry.isDirectory())) {
    const { name } = folder;
    if (name === "broken") continue;
    const wrong = entries(name).some((entry) => entry.name === "false");

    for (const transcript of transcriptsOf(name)) {
      test(`${transcript} is true`, async (t) => {
        const text = read(transcript);
        const seconds = duration(text) / 1_000;
        if (seconds > 60) {
          t.skip(`it waits for ${seconds} s: cargo test replays it, on virtual time`);
          return;
        }
        const server = await start(PROGRAMS[name] ?? name);
        t.after(() => server.stop());
        const times = REPEATED.includes(name) && seconds < 10 ? 2 : 1;

        const { line, came, ran, of } = await replayed(t, server, text, times);

        assert.equal(line, undefined, `line ${line} should be true, but ${came}`);
        assert.equal(ran, of, "every line was run");
      });
    }

    for (const transcript of wrong ? transcriptsOf(`${name}/false`) : []) {
      test(`${transcript} is false where it says so`, async (t) => {
        const server = await start(PROGRAMS[name] ?? name);
        t.after(() => server.stop());
        const text = read(transcript);
        const mark = text.split("\n").findIndex((line) => line.startsWith("#!")) + 1;

        const { line, came } = await replayed(t, server, text);

        assert.equal(line, mark + 1, `the line after #! should be false (${came})`);
      });
    }
  }
});

describe("transcripts that cannot be read", () => {
  for (const transcript of transcriptsOf("broken")) {
    test(`${transcript} is turned down with its sentence`, () => {
      const text = read(transcript);
      const [sentence] = text.split("\n");

      assert.throws(() => parse(text), { message: sentence.slice("#! ".length) });
    });
  }
});
