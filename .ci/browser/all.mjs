// Runs the tests of all pages: those files that take long come first, so that none of them is
// left alone at the end.

import { readdirSync } from "node:fs";
import process from "node:process";
import { run } from "node:test";
import { spec } from "node:test/reporters";

/// Some 60 seconds or more, the longest first. All others take less.
const LONG = ["wire", "transcripts", "lesson_12", "lesson_17", "lesson_24", "chat", "lesson_14"];

const names = readdirSync(import.meta.dirname)
  .filter((file) => file.endsWith(".test.mjs"))
  .map((file) => file.slice(0, -".test.mjs".length));
const others = names.filter((name) => !LONG.includes(name));
const files = [...LONG, ...others].map((name) => `${import.meta.dirname}/${name}.test.mjs`);

run({ files, concurrency: 3, forceExit: true })
  .on("test:fail", () => (process.exitCode = 1))
  .compose(new spec())
  .pipe(process.stdout);
