// Prints the built book into one file: a title page, the contents with the numbers of the
// pages, and the chapters. `.ci/book/pdf` builds the book first.
//
// A browser does not know the number of a page while it lays out another one. So it prints
// twice: the contents of the second time have the numbers of the first.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import process from "node:process";

import { chromium } from "../browser/node_modules/playwright-core/index.mjs";
import { ROOT, serveBook } from "./book.mjs";

/** The whole book at once, on a slow machine. */
const TIMEOUT = 600_000;

const STYLE = `
  @page { size: A4; margin: 15mm 20mm 17mm; @bottom-center { content: counter(page); font: 8pt system-ui, sans-serif; color: #6a665e; } }
  @page :first { @bottom-center { content: none; } }
  #title, #contents { break-after: page; }
  #title h1 { margin-block-start: 70mm; max-width: 14cm; font-size: 30pt; }
  #title p { font-size: 12pt; }
  #contents ol { margin: 0; padding: 0; list-style: none; }
  #contents li { display: flex; margin: 0; font-size: 8.6pt; line-height: 1.15; break-inside: avoid; }
  #contents li a { flex: 1; text-decoration: none; }
  .content .flows, .content .flows > code { break-inside: auto; }
  #contents .part { margin-block: 4pt 1pt; font-weight: 600; break-after: avoid; }
`;

/** The parts of the book with their chapters, in their order. */
function contents() {
  const summary = readFileSync(new URL("book/src/SUMMARY.md", ROOT), "utf8");
  const parts = [];
  for (const line of summary.split("\n").slice(1)) {
    const [, part] = /^# (.+)/.exec(line) ?? [];
    const [, chapter] = /^- \[(.+)\]\(/.exec(line) ?? [];
    if (part) parts.push({ part, chapters: [] });
    if (chapter) parts.at(-1).chapters.push(chapter);
  }
  return parts;
}

/** Puts a title and the contents in front, in the page. Gives the addresses of the chapters. */
function begin({ title, description, version, parts }) {
  const main = document.querySelector("main");
  const chapters = [...main.querySelectorAll("h1")];
  const make = (name, properties, ...inner) => {
    const made = Object.assign(document.createElement(name), properties);
    made.append(...inner);
    return made;
  };
  // A short block of code is not cut in two. A long one would leave half a page empty before it.
  for (const block of main.querySelectorAll("pre"))
    block.classList.toggle("flows", block.textContent.split("\n").length > 24);
  const heading = (textContent) => make("h1", { textContent });
  const cover = make("section", { id: "title" }, heading(title), make("p", { textContent: description }), make("p", { textContent: version }));
  const list = make("ol", {});
  let i = 0;
  for (const { part, chapters: names } of parts) {
    list.append(make("li", { className: "part", textContent: part }));
    for (const textContent of names) {
      const link = make("a", { href: `#${chapters[i].id}`, textContent });
      list.append(make("li", {}, link, make("span", { className: "number", textContent: "0" })));
      i += 1;
    }
  }
  main.prepend(cover, make("section", { id: "contents" }, heading("Contents"), list));
  return chapters.map(({ id }) => id);
}

/** On which page of a PDF by Chromium each of its named destinations is. */
function destinations(pdf) {
  const text = pdf.toString("latin1");
  const xref = Number(/startxref\s+(\d+)\s+%%EOF\s*$/.exec(text)[1]);
  const [, count, entries] = /^xref\n0 (\d+)\n([^t]+)/.exec(text.slice(xref));
  const offsets = entries.split("\n").map((entry) => Number(entry.slice(0, 10)));
  assert.ok(offsets.length >= count, "the table of objects is whole");
  const object = (number) => text.slice(offsets[number], text.indexOf("endobj", offsets[number]));
  const number = (key, of) => Number(new RegExp(`/${key} (\\d+) 0 R`).exec(of)[1]);

  const root = object(number("Root", text.slice(xref)));
  const pages = new Map();
  const visit = (node) => {
    const [, kids] = /\/Kids \[([^\]]*)\]/.exec(object(node)) ?? [];
    if (kids === undefined) pages.set(node, pages.size + 1);
    else for (const [, kid] of kids.matchAll(/(\d+) 0 R/g)) visit(Number(kid));
  };
  visit(number("Pages", root));

  const found = new Map();
  for (const [, name, page] of object(number("Dests", root)).matchAll(/\/(\S+)\s*\[(\d+) 0 R/g)) {
    const plain = name.replace(/#([0-9a-f]{2})/gi, (_, hex) => String.fromCharCode(parseInt(hex, 16)));
    found.set(plain, pages.get(Number(page)));
  }
  return { of: (id) => found.get(id), pages: pages.size };
}

const out = process.argv[2];
const setting = (name) => new RegExp(`^${name} = "(.*)"$`, "m").exec(readFileSync(new URL("book/book.toml", ROOT), "utf8"))[1];
const date = execFileSync("git", ["log", "-1", "--format=%cs, %h"], { cwd: ROOT }).toString().trim();

const book = await serveBook();
const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM,
  args: ["--no-sandbox", "--disable-gpu"],
});
try {
  const page = await browser.newPage();
  page.setDefaultTimeout(TIMEOUT);
  // On paper nobody can press “Replay”: a transcript is text, as without this element.
  await page.addInitScript(() => {
    const define = customElements.define.bind(customElements);
    customElements.define = (name, ...rest) => name.startsWith("ws-") || define(name, ...rest);
  });
  await page.goto(book.at("print.html"));
  await page.emulateMedia({ media: "print" });
  await page.addStyleTag({ content: STYLE });
  const parts = contents();
  const ids = await page.evaluate(begin, {
    title: setting("title"),
    description: setting("description"),
    version: `Printed from the version of ${date}.`,
    parts,
  });
  const chapters = parts.flatMap(({ chapters }) => chapters);
  assert.equal(ids.length, chapters.length, "each chapter has one title");

  const print = (options) => page.pdf({ preferCSSPageSize: true, printBackground: true, ...options });
  const first = destinations(await print({ tagged: false }));
  const numbers = ids.map(first.of);
  await page.evaluate((numbers) => {
    for (const [i, place] of document.querySelectorAll("#contents .number").entries())
      place.textContent = numbers[i];
  }, numbers);
  const pdf = await print({ tagged: true, outline: true });
  const second = destinations(pdf);
  assert.deepEqual(ids.map(second.of), numbers, "the contents have the numbers of the pages");
  writeFileSync(out, pdf);
  console.log(`${out}: ${chapters.length} chapters on ${second.pages} pages.`);
} finally {
  await browser.close();
  book.close();
}
