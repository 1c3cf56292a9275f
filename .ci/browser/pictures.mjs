// Makes the README's pictures of the running chat, or compares those that are there with what
// the chat looks like now. `.ci/browser/pictures` says when.
//
// What can be read must be the same, to the letter: each picture carries it as a text of its own
// (a chunk tEXt of its PNG). How it looks must be alike: both are made so small that the edges
// of letters, which each version of a browser draws a little otherwise, are no more than a tint.
//
// On a machine with other fonts every line is longer or shorter. There, the words are compared,
// and the looks are not: the exit code is 77. The picture says which fonts it has, too.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { crc32 } from "node:zlib";

import { chromium } from "playwright-core";

import { fill, press, say, sees } from "./browser.mjs";
import { start } from "./server.mjs";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));
/** The pictures in the repository, and those that are made where they differ. */
const KEPT = `${ROOT}.github/pictures`;
const MADE = `${process.env.CARGO_TARGET_DIR ?? `${ROOT}target`}/pictures`;
const SCHEMES = ["light", "dark"];

const WINDOW = { width: 480, height: 460 };
const BAR = 34;
const GAP = 24;
const EDGE = 2;
const SCALE = 2;

/** Who says what. Each chat is a minute after the one before. */
const CHATS = [
  ["ana", "Hello, Ben!"],
  ["ben", "Hi, Ana. Which lesson is this?"],
  ["ana", "Number 7: rooms."],
];
const BEGIN = Date.UTC(2026, 0, 5, 9, 41);

/** A field of the small pictures is so wide and high, in pixels of the page. */
const FIELD = 10;
/** How much a field may differ, of 255, in its reddest, greenest or bluest part. */
const TOLERANCE = 16;
/** And how many of them may differ by half of that: edges that moved by a fraction of a pixel. */
const FEW = 0.005;

/** The chat of two people, as it looks: a picture, and what can be read in it. */
async function take(browser, url, scheme) {
  const open = async () => {
    const context = await browser.newContext({
      viewport: WINDOW,
      deviceScaleFactor: SCALE,
      colorScheme: scheme,
      reducedMotion: "reduce",
      locale: "en-GB",
      timezoneId: "UTC",
    });
    const page = await context.newPage();
    // The time of a chat is the server's. In a picture it has to be the same each time.
    await page.routeWebSocket("**/ws/**", (socket) => {
      const server = socket.connectToServer();
      server.onMessage((text) => {
        const message = JSON.parse(text);
        const i = CHATS.findIndex(([, chat]) => chat === message.content);
        if (message.timestamp) message.timestamp = new Date(BEGIN + i * 60_000).toISOString();
        socket.send(JSON.stringify(message));
      });
    });
    await page.goto(url);
    return page;
  };
  const pages = { ana: await open(), ben: await open() };
  for (const [name, page] of Object.entries(pages)) {
    await fill(page, "Your name", name);
    await press(page, "Join");
    await sees(page, "#state", `Connected as ${name}.`, `${name} joins`);
  }
  await sees(pages.ana, "#log .notice", "ben joined.", "Ana sees Ben come");
  for (const [name, chat] of CHATS) {
    await say(pages[name], chat);
    for (const page of Object.values(pages)) await sees(page, "#log", chat, `${name} says it`);
  }

  const fonts = await pages.ana.evaluate(() => {
    const context = document.createElement("canvas").getContext("2d");
    const { fontFamily } = getComputedStyle(document.body);
    return ["400", "600"].map((weight) => {
      context.font = `${weight} 100px ${fontFamily}`;
      return Math.round(context.measureText("Fonts: handgloves, 0123456789!").width);
    });
  });
  const words = [];
  const windows = [];
  for (const [name, page] of Object.entries(pages)) {
    await page.evaluate(() => {
      document.activeElement.blur(); // No caret.
      scrollTo(0, document.documentElement.scrollHeight);
    });
    words.push(`${name}'s window:`, await page.locator("main").innerText());
    windows.push({ name, image: (await page.screenshot({ caret: "hide" })).toString("base64") });
  }
  for (const page of Object.values(pages)) await page.context().close();
  return {
    png: await frame(browser, windows, scheme),
    texts: { Description: words.join("\n").replace(/\s*\n\s*/g, "\n"), Fonts: fonts.join(" and ") },
  };
}

/** The windows side by side, each with its bar. Around them, the picture is transparent. */
async function frame(browser, windows, scheme) {
  const width = 2 * (WINDOW.width + 2) + GAP + 2 * EDGE;
  const height = WINDOW.height + BAR + 2 + 2 * EDGE;
  const page = await browser.newPage({
    viewport: { width, height },
    deviceScaleFactor: SCALE,
    colorScheme: scheme,
  });
  await page.setContent(`
    <style>
      :root { color-scheme: light dark; }
      body { margin: ${EDGE}px; display: flex; gap: ${GAP}px; }
      figure { margin: 0; overflow: hidden; border: 1px solid light-dark(#918c82, #77726a); border-radius: 10px; }
      figcaption { display: flex; align-items: center; gap: 7px; height: ${BAR}px; padding-inline: 14px;
        font: 600 13px system-ui, sans-serif; color: light-dark(#6a665e, #a09a8e); background: light-dark(#ece8de, #2c2a27); }
      i { width: 11px; height: 11px; border-radius: 50%; background: light-dark(#cfcabd, #4a4742); }
      figcaption span { flex: 1; text-align: center; margin-inline-end: 47px; }
      img { display: block; width: ${WINDOW.width}px; height: ${WINDOW.height}px; }
    </style>
    ${windows.map(({ name, image }) => `<figure><figcaption><i></i><i></i><i></i><span>${name}</span></figcaption>
      <img src="data:image/png;base64,${image}"></figure>`).join("")}`);
  await page.evaluate(() => Promise.all([...document.images].map((image) => image.decode())));
  const png = await page.screenshot({ omitBackground: true });
  await page.close();
  return png;
}

const SIGNATURE = 8;

/** The chunks of a PNG, each with its kind and its data. */
function* chunks(png) {
  for (let at = SIGNATURE; at < png.length; ) {
    const length = png.readUInt32BE(at);
    const kind = png.toString("latin1", at + 4, at + 8);
    yield { kind, data: png.subarray(at + 8, at + 8 + length), at };
    at += length + 12;
  }
}

/** A PNG that carries texts, each with its keyword. */
function withTexts(png, texts) {
  const end = [...chunks(png)].find(({ kind }) => kind === "IEND").at;
  const made = Object.entries(texts).map(([keyword, text]) => {
    const data = Buffer.from(`tEXt${keyword}\0${text}`, "latin1");
    const chunk = Buffer.alloc(data.length + 8);
    chunk.writeUInt32BE(data.length - 4);
    data.copy(chunk, 4);
    chunk.writeUInt32BE(crc32(data), data.length + 4);
    return chunk;
  });
  return Buffer.concat([png.subarray(0, end), ...made, png.subarray(end)]);
}

function textsOf(png) {
  const texts = [...chunks(png)].filter(({ kind }) => kind === "tEXt");
  return Object.fromEntries(texts.map(({ data }) => data.toString("latin1").split("\0")));
}

/** How alike two pictures are: the largest difference of a field, and how many differ. */
async function difference(browser, one, other) {
  const page = await browser.newPage();
  const result = await page.evaluate(
    async ([images, field, tolerance]) => {
      const small = await Promise.all(
        images.map(async (image) => {
          const bitmap = await createImageBitmap(await (await fetch(`data:image/png;base64,${image}`)).blob());
          const [width, height] = [bitmap.width, bitmap.height].map((size) => Math.ceil(size / field));
          const canvas = new OffscreenCanvas(width, height);
          const context = canvas.getContext("2d");
          context.imageSmoothingQuality = "high";
          context.fillRect(0, 0, width, height);
          context.drawImage(bitmap, 0, 0, width, height);
          return { size: [bitmap.width, bitmap.height], data: context.getImageData(0, 0, width, height).data };
        }),
      );
      const [a, b] = small;
      if (`${a.size}` !== `${b.size}`) return { sizes: [a.size, b.size] };
      let [most, many] = [0, 0];
      for (let i = 0; i < a.data.length; i += 4) {
        const by = Math.max(...[0, 1, 2].map((part) => Math.abs(a.data[i + part] - b.data[i + part])));
        most = Math.max(most, by);
        if (by > tolerance / 2) many += 1;
      }
      return { most, share: many / (a.data.length / 4) };
    },
    [[one, other].map((png) => png.toString("base64")), FIELD * SCALE, TOLERANCE],
  );
  await page.close();
  return result;
}

/** Fails with a sentence if the two are not the same chat. Gives whether it could find out. */
async function compare(browser, scheme, kept, made) {
  const [before, now] = [kept, made].map(textsOf);
  assert.equal(before.Description, now.Description, `the ${scheme} picture says something else than the chat`);
  if (before.Fonts !== now.Fonts) {
    console.log(`The ${scheme} picture says what the chat says. This machine has other fonts: the looks are not compared.`);
    return false;
  }
  const { sizes, most, share } = await difference(browser, kept, made);
  assert.ok(!sizes, `the ${scheme} picture has another size than it should: ${sizes?.join(" and ")}`);
  const far = `${most} of 255 in one field, and much in ${(100 * share).toFixed(1)} % of the fields`;
  assert.ok(most <= TOLERANCE && share <= FEW, `the ${scheme} picture looks otherwise than the chat: ${far}`);
  console.log(`The ${scheme} picture is the chat: they differ by ${far}.`);
  return true;
}

const { values } = parseArgs({ options: { write: { type: "boolean" } } });
const server = await start("lesson_07_rooms");
const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? execFileSync(fileURLToPath(new URL("chromium", import.meta.url))).toString().trim(),
  args: ["--no-sandbox", "--disable-gpu", "--hide-scrollbars"],
});
try {
  for (const scheme of SCHEMES) {
    const { png, texts } = await take(browser, `${server.url.replace(/\/$/, "")}/lesson_07.html`, scheme);
    const made = withTexts(png, texts);
    const name = `chat-${scheme}.png`;
    if (values.write) {
      mkdirSync(KEPT, { recursive: true });
      writeFileSync(`${KEPT}/${name}`, made);
      console.log(`.github/pictures/${name}: ${made.length} bytes.`);
      continue;
    }
    assert.ok(existsSync(`${KEPT}/${name}`), `the README's picture ${name} is missing: .ci/browser/pictures --write`);
    try {
      const same = await compare(browser, scheme, readFileSync(`${KEPT}/${name}`), made);
      process.exitCode ??= same ? undefined : 77;
    } catch (error) {
      mkdirSync(MADE, { recursive: true });
      writeFileSync(`${MADE}/${name}`, made);
      console.error(`${error.message}\nThe chat of today is in target/pictures/${name}. If it is as it should be: .ci/browser/pictures --write`);
      process.exitCode = 1;
    }
  }
} finally {
  await browser.close();
  await server.stop();
}
