// The wire view: what it makes of rows, how one moves in it, and how much it bears.

import assert from "node:assert/strict";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { connect as connectTcp } from "node:net";
import { after, before, describe, test } from "node:test";

import { openWindow, useBrowser } from "./browser.mjs";
import { findings } from "./everybody.mjs";
import { start } from "./server.mjs";
import { Conversation, threePeople } from "./xray.mjs";
import { parse } from "../../static/transcript.js";
import { WireLog } from "../../static/wire-log.js";
import { Rows, note } from "../../static/wire-rows.js";
import { transcriptOf } from "../../static/wire-transcript.js";

const LIMITS = { timeout: 480_000 };

/** Rows of the wire view, from rows of X-ray. */
const rowsOf = (...raw) => rowsOn("", ...raw);

/** The same, on a page whose clients connect to such a path. */
function rowsOn(pattern, ...raw) {
  const rows = new Rows(pattern);
  return raw.flat().map((row) => rows.fromXray(row));
}

describe("rows", () => {
  test("a client has the label of its request, or the name in its path, or a number", () => {
    const talk = new Conversation();
    const rows = rowsOn(
      "/ws/chat/rust/{name}",
      talk.connect("ana", "/ws/chat/rust/somebody"),
      talk.connect(undefined, "/ws/chat/rust/ben"),
      talk.connect(undefined, "/ws/chat/wasm/cem"),
      talk.connect(undefined, "/ws/chat/rust/J%C3%BCrgen"),
      talk.connect(undefined, "/ws/chat/rust"),
      talk.connect(undefined, "/ws/chat/rust/7"),
      talk.connect(undefined, "/ws"),
    );

    const clients = rows
      .filter(({ kind }) => kind === "request")
      .map(({ client }) => client);
    assert.deepEqual(
      clients,
      ["Ana", "Ben", "Cem", "Jürgen", "Client", "Client 2", "Client 3"],
      "a room is no name, and neither is a number",
    );
    const [, task] = rowsOn("/ws/tasks?token={token}", talk.connect(undefined, "/ws/tasks"));
    assert.equal(task.client, "Client", "the page's paths have no name in them");
    assert.equal(rows[0].client, "Ana", "the row before the request knows it afterwards");
  });

  test("two connections of one name at a time are told apart, one after another not", () => {
    const talk = new Conversation();
    const rows = rowsOf(
      talk.connect("ana", "/ws"),
      talk.connect("ana", "/ws"),
      talk.gone(2),
      talk.connect("ana", "/ws"),
      talk.gone(1),
      talk.connect("ana", "/ws"),
      talk.gone(3),
      talk.gone(4),
      talk.connect("ana", "/ws"),
    );

    const clients = rows
      .filter(({ kind }) => kind === "request")
      .map(({ client }) => client);
    assert.deepEqual(
      clients,
      ["Ana", "Ana 2", "Ana 2", "Ana", "Ana"],
      "a name that is free is used",
    );
  });

  test("twenty connections without a name, one after another, are one client", () => {
    const talk = new Conversation();
    const raw = [];
    for (let i = 1; i <= 20; i += 1)
      raw.push(...talk.connect(undefined, "/ws"), ...talk.gone(i));

    const clients = new Set(rowsOf(raw).map(({ client }) => client));

    assert.deepEqual([...clients], ["Client"], "each other name would be one more lane");
  });

  test("a connection whose beginning nobody saw is a client, too", () => {
    const talk = new Conversation();
    const rows = rowsOf(talk.connect("ana", "/ws"), talk.hears(7, "Hi"), talk.gone(7));

    assert.deepEqual(
      rows.slice(3).map(({ client }) => client),
      ["Client", "Client"],
      "X-ray keeps 1,000 rows, and its request may not be one of them",
    );
  });

  test("the copies of a broadcast are marked, but for the first", () => {
    const talk = new Conversation();
    const rows = rowsOf(
      talk.hears(1, "Hello"),
      talk.hears(2, "Hello"),
      talk.says(1, "Hello"),
    );
    const later = rowsOf(talk.hears(1, "Hello"), talk.wait(500).hears(2, "Hello"));

    const isCopy = ({ isCopy }) => isCopy;
    assert.deepEqual(
      rows.map(isCopy),
      [false, true, false],
      "what a client sends is no copy",
    );
    assert.deepEqual(later.map(isCopy), [false, false], "later, it is said again");
    const echoes = rowsOf(talk.hears(1, "x"), talk.hears(1, "x"), talk.hears(2, "x"));
    assert.deepEqual(
      echoes.map(isCopy),
      [false, false, true],
      "who gets a text twice was told it twice",
    );
  });

  test("a Close has its code, its reason, and what the code means", () => {
    const talk = new Conversation();
    const [ours, answer] = rowsOf(
      talk.close(1, "server", 1009, "Grüße"),
      talk.close(1, "client", 1009, "Grüße"),
    );
    const [none] = rowsOf(talk.close(2, "client"));

    assert.deepEqual(
      [ours.code, ours.reason, ours.isFault],
      [1009, "Grüße", true],
      "the code is two bytes, and the reason is UTF-8",
    );
    assert.match(ours.meaning, /^Message too big: /, "close-codes.js has the meanings");
    assert.equal(
      answer.isFault,
      false,
      "the answer repeats the code, and is no second fault",
    );
    assert.deepEqual(
      [none.code, none.isFault],
      [1005, false],
      "a Close may be without a code",
    );
  });

  test("a close code of the application is no fault of a client, a broken rule is", () => {
    const talk = new Conversation();
    const rows = rowsOf(
      talk.close(1, "client", 4321),
      talk.close(2, "client", 1002),
      talk.close(3, "server", 1001),
    );

    assert.deepEqual(
      rows.map(({ isFault }) => isFault),
      [false, true, false],
      "4321 is the client's own, 1002 says that a rule was broken, 1001 is a goodbye",
    );
  });

  test("1001 of a browser means that a page has gone, and not that a server stops", () => {
    const talk = new Conversation();
    const rows = rowsOf(
      talk.close(1, "client", 1001),
      talk.close(1, "server", 1001),
      talk.close(2, "server", 1001),
    );

    assert.deepEqual(
      rows.map(({ meaning }) => /tab/.test(meaning)),
      [true, true, false],
      "who closes first says what it means, and the answer only repeats it",
    );
  });

  test("a text that is not UTF-8 is shown as bytes, and is a fault", () => {
    const talk = new Conversation();
    const [row] = rowsOf(talk.frame(1, "client", 1, [0x66, 0xff]));

    assert.deepEqual([row.text, row.isFault], ["66 ff", true], "RFC 6455 forbids it");
  });

  test("a frame that never completed is a fault, and the message is cut", () => {
    const talk = new Conversation();
    const [row] = rowsOf(
      talk.frame(1, "client", 1, "x".repeat(4082), { len: 70_000, got: 4082 }),
    );

    assert.deepEqual(
      [row.bytes, row.isCut, row.isFault],
      [70_000, true, true],
      "it announced 70,000 bytes, and 4,082 came",
    );
  });

  test("fragments belong to the kind of their message, also around a ping", () => {
    const talk = new Conversation();
    const rows = rowsOf(
      talk.frame(1, "client", 1, "Hel", { fin: false }),
      talk.frame(1, "client", 9, "?"),
      talk.frame(1, "client", 0, "lo", { part: 2 }),
      talk.frame(1, "client", 2, [1]),
    );

    assert.deepEqual(
      rows.map(({ group }) => group),
      ["text", "ping", "text", "binary"],
      "a ping may stand between two fragments, and ends nothing",
    );
    assert.equal(rows[2].message.frames.length, 2, "the message has two frames");
  });

  test("a character that two frames share breaks neither of them", () => {
    const talk = new Conversation();
    const rows = rowsOf(
      talk.connect("ana", "/ws"),
      talk.frame(1, "client", 1, [0xc3], { fin: false }),
      talk.frame(1, "client", 0, [0xbc], { part: 2 }),
    );

    const faults = rows.filter(({ isFault }) => isFault);
    assert.deepEqual(faults, [], "only the whole message has to be UTF-8");
    assert.match(
      transcriptOf(rows),
      /^ana sends "ü"$/m,
      "together they are one character",
    );
  });
});

describe("the log", () => {
  const row = (t, more) => ({ t, kind: "text", group: "text", text: `${t}`, ...more });

  test("it keeps 10,000 rows at most, and counts what it leaves out", () => {
    const log = new WireLog();
    for (let t = 0; t < 25_000; t += 1) log.add(row(t));

    assert.ok(log.entries.length <= 10_000, `it has ${log.entries.length}`);
    assert.equal(log.leftOut, 25_000 - log.entries.length, "the rest is counted");
    assert.equal(log.entries.at(-1).row.t, 24_999, "the newest are kept");
    assert.equal(log.shown.length, log.entries.length, "and shown");
  });

  test("it keeps 32 MB of payloads at most", () => {
    const log = new WireLog();
    const raw = { data: "00".repeat(4096) };
    for (let t = 0; t < 9_000; t += 1) log.add(row(t, { raw }));

    assert.ok(
      log.entries.length < 4_097,
      `${log.entries.length} rows of 8 kB are too many`,
    );
  });

  test("binary messages that were recorded count, too", () => {
    const log = new WireLog();
    const data = new Uint8Array(1024 * 1024);
    for (let t = 0; t < 100; t += 1) log.add(row(t, { data }));

    assert.ok(log.entries.length <= 32, `${log.entries.length} MB are too many`);
  });

  test("a frame that took long stands where it began", () => {
    const log = new WireLog();
    for (const t of [1, 2, 5, 6, 3]) log.add(row(t));

    const times = log.shown.map(({ row }) => row.t);
    assert.deepEqual(times, [1, 2, 3, 5, 6], "it was reported last, and began third");
  });

  test("after a restart of the server, its clock begins anew", () => {
    const log = new WireLog();
    for (const t of [900, 901]) log.add(row(t));
    log.add(note(0, "restarted"));
    log.add(row(2));

    const times = log.shown.map(({ row }) => row.t);
    assert.deepEqual(times, [900, 901, 0, 2], "the 2 of the new clock is the latest");
  });

  test("while it pauses it shows nothing new, but keeps and counts it", () => {
    const log = new WireLog();
    log.add(row(1));
    log.pause();
    log.add(row(2));
    log.add(row(3));
    assert.deepEqual([log.shown.length, log.held], [1, 2], "one is shown, two wait");
    log.filter(({ t }) => t > 0);
    assert.deepEqual([log.shown.length, log.held], [1, 2], "also if somebody filters");

    log.resume();

    assert.deepEqual([log.shown.length, log.held], [3, 0], "and then all are shown");
  });
});

describe("transcripts of sessions", () => {
  test("a session becomes a transcript, in the order of its rows", () => {
    const text = transcriptOf(rowsOf(threePeople()));

    assert.doesNotThrow(() => parse(text), text);
    for (const line of [
      "ana connects /ws/chat/rust/ana",
      'ana receives {"type":"user_joined","username":"ben"}',
      'ben sends {"type":"chat","content":"Hi, Ana. Grüße aus Köln ☕"}',
      'cem receives {"type":"chat","room":"rust","from":"ana","content":"Hello, everybody!","timestamp":*}',
      'cem sends "{\\"type\\":\\"chat\\",\\"content\\":"',
      "ben sends bytes 00 7f 80 ff",
      'cem sends {"type":"chat","content":"in two parts"}',
      "ben closes 1000 dinner",
      "eve is refused 409 /ws/chat/rust/ana",
      "ana closes 1000",
      "cem is closed 4008 too slow",
    ])
      assert.ok(
        text.split("\n").includes(line),
        `“${line}” should be a line of:\n${text}`,
      );
  });

  test("a token becomes a placeholder, and a line before it signs in", () => {
    const talk = new Conversation();
    const path = "/ws/chat/rust?token=●●●";

    const text = transcriptOf(
      rowsOf(talk.connect("ana", path), talk.connect("ana", path)),
    );

    assert.equal(
      text,
      "ana signs in ana-likes-tea\n" +
        "ana connects /ws/chat/rust?token={ana.token}\n" +
        "ana-2 connects /ws/chat/rust?token={ana.token}\n",
      "Ana signs in once, and both of her connections use the token",
    );
    assert.doesNotThrow(() => parse(text), "one signs in, and two use the token");
  });

  test("who comes with a cookie signs in, and gets a token instead of it", () => {
    const PATTERN = "/ws/chat/rust?token={token}";
    const connect = (label, path, pattern, ...cookies) => {
      const talk = new Conversation();
      const [opened, request, answer] = talk.connect(label, path);
      const head = request.head.with(6, `Cookie: ${cookies.join("; ")}`);
      return transcriptOf(rowsOn(pattern, opened, { ...request, head }, answer));
    };
    const path = "/ws/chat/rust";
    const session = "lesson_08_auth=●●●";
    const ours = "xray=●●●";

    assert.equal(
      connect("ana", path, PATTERN, session, ours),
      "ana signs in ana-likes-tea\nana connects /ws/chat/rust?token={ana.token}\n",
      "another browser has another cookie",
    );
    assert.equal(
      connect("ana", path, PATTERN, ours, session),
      connect("ana", path, PATTERN, session, ours),
      "in whatever order they are",
    );
    assert.equal(connect("ana", path, PATTERN, ours), "ana connects /ws/chat/rust\n");
    assert.equal(
      connect("ana", path, "/ws", session, ours),
      "ana connects /ws/chat/rust\n",
      "cookies are for all ports, also for programs where nobody signs in",
    );
    assert.match(
      connect(undefined, path, PATTERN, session, ours),
      /^# A cookie says who client is.*\nclient connects \/ws\/chat\/rust\n$/,
      "without a name there is no password",
    );
  });

  test("a connection without a Close vanishes, or is lost, and so does a closed tab", () => {
    const talk = new Conversation();
    const rows = rowsOf(
      talk.connect("ana", "/ws"),
      talk.connect("ben", "/ws"),
      talk.connect("cem", "/ws"),
      talk.tcp(1, "FIN"),
      talk.gone(1, "client"),
      talk.gone(2, "server"),
      talk.close(3, "client", 1001),
      talk.gone(3),
    );

    const steps = parse(transcriptOf(rows)).map(({ who, act, code }) => [who, act, code]);
    const expected = [
      ["ana", "vanishes", undefined],
      ["ben", "is closed", 1006],
      ["cem", "vanishes", undefined],
    ];
    assert.deepEqual(steps.slice(3), expected, "a browser sends 1001 for a closed tab");
  });

  test("whatever is said, the transcript can be read", () => {
    const talk = new Conversation();
    const texts = [
      "",
      " ",
      "two\nlines",
      '{"a":\n1}',
      '{"a":1} ',
      "[1,2]",
      "{a}",
      '"quoted"',
      "# no comment",
      "bytes 00",
      "nothing for 3s",
      '{"a":"*"}',
      "\u2028",
      '{"timestamp":"2026-11-26T15:00:00Z","2026-11-26T15:00:00Z":1}',
    ];
    const said = texts.flatMap((text) => [...talk.says(1, text), ...talk.hears(1, text)]);

    const steps = parse(transcriptOf(rowsOf(talk.connect("ana", "/ws"), said)));

    const sent = steps
      .filter(({ act }) => act === "sends")
      .map(({ message }) => message.text);
    assert.deepEqual(sent, texts, "and each text is what it was");
  });

  test("what was there before the first row is left out, and it says so", () => {
    const talk = new Conversation();
    const [, , answer] = talk.connect("ana", "/ws");
    const text = transcriptOf(rowsOf(answer, talk.hears(1, "Hello"), talk.says(1, "Hi")));

    assert.deepEqual(parse(text), [], "no step has a client that never connected");
    const remark = /^# .+ had connected before the first of these rows/;
    assert.match(text, remark, "a remark says why");
  });

  test("a client connects with its request, although others hear of it before its answer", () => {
    const talk = new Conversation();
    const ana = talk.connect("ana", "/ws/ana");
    const [opened, asks, answer] = talk.connect("ben", "/ws/ben");
    const told = talk.hears(1, '{"type":"user_joined","username":"ben"}');

    const text = transcriptOf(rowsOf(ana, opened, asks, told, answer));

    assert.deepEqual(
      parse(text).map(({ who, act }) => `${who} ${act}`),
      ["ana connects", "ben connects", "ana receives"],
      "otherwise a replay waits for what only Ben's step will cause",
    );
  });

  test("a message of which only the beginning was kept becomes a remark", () => {
    const talk = new Conversation();
    const rows = rowsOf(talk.connect("ana", "/ws"), talk.says(1, "x".repeat(5000)));

    const remark = /^# ana sends 5000 bytes, of which only the first/m;
    assert.match(transcriptOf(rows), remark, "half a message would be another message");
  });

  test("a long silence before an answer becomes a wait", () => {
    const talk = new Conversation();
    const rows = rowsOf(
      talk.connect("ana", "/ws"),
      talk.wait(61_000).close(1, "server", 4011),
    );

    const steps = /^ana waits 61s\nana is closed 4011$/m;
    assert.match(transcriptOf(rows), steps, "a replay gives up after ten seconds");
  });
});

/**
 * Opens a page with nothing but a wire view, of a server. Whoever starts a server for it stops it after the page has
 * been closed, so `t.after` comes below: the view would ask the server whether it is gone.
 */
async function wire(t, server, { attributes = "", ...options } = {}) {
  const html = `<!doctype html><html lang="en"><head><title>The wire view</title>
    <meta name="viewport" content="width=device-width, initial-scale=1">
    <link rel="stylesheet" href="style.css">
    <script type="module" src="wire-view.js"></script>
    <style>body { max-width: none; height: 100vh; margin: 0; padding: 0 }
      main { height: 100% }</style></head>
    <body><main><h1 style="position: absolute; opacity: 0">Wire</h1>
    <wire-view ${attributes}></wire-view></main></body></html>`;
  // The page is one that the server has sent: a browser does not let others connect to it.
  const page = await openWindow(t, server.url, options);
  await page.setContent(html);
  await page.waitForFunction(() => document.querySelector("wire-view").shadowRoot);
  return page;
}

async function add(page, rows) {
  await page.evaluate((rows) => document.querySelector("wire-view").add(rows), rows);
  await frames(page, 2);
}

/** Waits until the page has been drawn so often. */
const frames = (page, count) =>
  page.evaluate(async (count) => {
    for (let i = 0; i < count; i += 1) await new Promise(requestAnimationFrame);
  }, count);

const list = (page) => page.getByRole("listbox", { name: "Messages" });
const panel = (page) => page.locator("wire-view .panel");
const chosen = (page) => page.locator('wire-view [aria-selected="true"]');
const button = (page, name) => page.getByRole("button", { name, exact: true });

/** The numbers of the rows that one can see as a whole, and what they say. */
const inSight = (page) =>
  list(page).evaluate((list) => {
    const { top, bottom } = list.getBoundingClientRect();
    return [...list.querySelectorAll("[role=option]:not([hidden])")]
      .map((row) => ({ row, box: row.getBoundingClientRect() }))
      .filter(({ box }) => box.top >= top - 1 && box.bottom <= bottom + 1)
      .map(({ row }) => Number(row.ariaPosInSet))
      .sort((a, b) => a - b);
  });

/** Presses Home, and then ↓ until the row that is chosen contains a text. */
async function choose(page, text) {
  await list(page).focus();
  await page.keyboard.press("Home");
  for (let i = 0; i < 100; i += 1) {
    if ((await chosen(page).textContent()).includes(text)) return;
    await page.keyboard.press("ArrowDown");
  }
  assert.fail(`no row says “${text}”`);
}

describe("the wire view", LIMITS, () => {
  useBrowser();
  let server;
  before(async () => (server = await start("lesson_07_rooms")));
  after(() => server?.stop());

  for (const attributes of ["", "large"]) {
    const type = attributes || "usual";
    test(`in ${type} type, 1920 × 1080 shows at least 20 rows`, async (t) => {
      const viewport = { width: 1920, height: 1080 };
      const page = await wire(t, server, { attributes, viewport });
      await add(page, threePeople());

      const rows = await inSight(page);

      assert.ok(rows.length >= 20, `only ${rows.length} rows are in sight`);
      assert.equal(rows.at(-1), threePeople().length, "the newest one is the last");
      const type = await list(page).evaluate((list) =>
        parseFloat(getComputedStyle(list.querySelector(".row")).fontSize),
      );
      assert.equal(type, attributes ? 21 : 14, "the type has its size");
    });
  }

  for (const width of [1920, 1280, 720, 390]) {
    test(`it fits into ${width} pixels, open and shut`, async (t) => {
      const page = await wire(t, server, { viewport: { width, height: 844 } });
      await add(page, threePeople());
      const tooWide = () =>
        page.evaluate(() => {
          const { shadowRoot } = document.querySelector("wire-view");
          const parts = [
            document.documentElement,
            ...shadowRoot.querySelectorAll(".list, .panel"),
          ];
          return Math.max(...parts.map((part) => part.scrollWidth - part.clientWidth));
        });

      assert.equal(await tooWide(), 0, "nobody should have to scroll sideways");
      await choose(page, "Grüße");
      await page.keyboard.press("Enter");
      await panel(page).getByRole("heading", { name: "A text frame" }).waitFor();
      assert.equal(await tooWide(), 0, "nor with the panel open");
      const at = Number(await chosen(page).getAttribute("aria-posinset"));
      assert.ok((await inSight(page)).includes(at), "the panel does not hide its row");
    });
  }

  for (const width of [1440, 1280, 1000, 900, 656, 390])
    test(`in ${width} pixels, each row has its bytes, with the panel, too`, async (t) => {
      const page = await wire(t, server, { viewport: { width, height: 844 } });
      await add(page, threePeople());
      await choose(page, "Hello, everybody!");
      const bytes = chosen(page).locator(".bytes");
      const text = '{"type":"chat","content":"Hello, everybody!"}';

      for (const when of ["without the panel", "with it"]) {
        assert.ok(await bytes.isVisible(), `${when}, people look for the size`);
        assert.match(await bytes.innerText(), new RegExp(`^${text.length}\\b`), when);
        const { width: room } = await bytes.boundingBox();
        const needed = await bytes.evaluate(({ scrollWidth }) => scrollWidth);
        assert.ok(room > 10 && needed <= Math.ceil(room), `${when}: ${needed} in ${room}`);
        const { width: words } = await chosen(page).locator(".says").boundingBox();
        assert.ok(words > 130, `${when} the text has ${words} pixels`);
        await page.keyboard.press("Enter");
      }
    });

  test("on a phone, lanes fold into names", async (t) => {
    const page = await wire(t, server, { viewport: { width: 390, height: 844 } });
    await add(page, threePeople());

    await choose(page, "Hello, everybody!");

    assert.match(await chosen(page).locator(".who").innerText(), /^Ana →/, "the name");
    const hasLanes = await chosen(page).locator(".lanes").isVisible();
    assert.equal(hasLanes, false, "there is no room for lanes");
    assert.ok((await inSight(page)).length >= 10, "and ten rows or more are in sight");
  });

  test("each client has a lane, and the server is after the first", async (t) => {
    const page = await wire(t, server, { attributes: 'lanes="Ana Ben Cem"' });
    await add(page, threePeople());

    const names = await page.locator("wire-view .names .lanes b").allTextContents();
    const expected = ["Ana", "server", "Ben", "Cem", "Eve"];
    assert.deepEqual(names, expected, "those that are wanted come first");
    const places = await page
      .locator("wire-view .names .lanes b")
      .evaluateAll((names) => names.map((name) => name.getBoundingClientRect().x));
    assert.deepEqual(
      places,
      places.toSorted((a, b) => a - b),
      "from left to right",
    );
  });

  test("arrow keys, Page Up and Down, Home and End choose; the panel follows", async (t) => {
    const page = await wire(t, server, { viewport: { width: 1280, height: 500 } });
    await add(page, threePeople());
    const total = threePeople().length;
    const at = async () => Number(await chosen(page).getAttribute("aria-posinset"));

    await list(page).focus();
    await page.keyboard.press("End");
    assert.equal(await at(), total, "End goes to the last row");
    await page.keyboard.press("Home");
    assert.equal(await at(), 1, "Home goes to the first");
    await page.keyboard.press("ArrowDown");
    await page.keyboard.press("Enter");
    await panel(page).getByRole("heading", { name: "The upgrade request" }).waitFor();
    await page.keyboard.press("ArrowDown");
    await panel(page)
      .getByRole("heading", { name: "The answer to the upgrade" })
      .waitFor();
    await page.keyboard.press("ArrowUp");
    await panel(page).getByRole("heading", { name: "The upgrade request" }).waitFor();
    await page.keyboard.press("PageDown");
    assert.ok((await at()) > 8, "a page is more than a few rows");
    assert.ok((await inSight(page)).includes(await at()), "what is chosen is in sight");
    const active = await list(page).getAttribute("aria-activedescendant");
    assert.equal(
      active,
      await chosen(page).getAttribute("id"),
      "a screen reader follows",
    );

    await page.keyboard.press("Escape");
    assert.equal(await panel(page).isVisible(), false, "Esc closes the panel");
    await page.keyboard.press("/");
    await page.keyboard.type("user_left");
    await list(page).focus();
    await page.keyboard.press("End");
    assert.match(await chosen(page).textContent(), /user_left/, "/ filters");
  });

  test("a click opens a row, Esc closes it and gives the keyboard back", async (t) => {
    const page = await wire(t, server);
    const opened = page.evaluate(
      () =>
        new Promise((resolve) => {
          document
            .querySelector("wire-view")
            .addEventListener("rowopen", ({ detail }) => resolve(detail.text));
        }),
    );
    await add(page, threePeople());

    await page.locator("wire-view .row", { hasText: "this server reads text" }).click();

    assert.match(await opened, /this server reads text/, "the page hears of it");
    await panel(page).focus();
    await page.keyboard.press("Escape");
    const focus = await page.evaluate(
      () => document.querySelector("wire-view").shadowRoot.activeElement?.className,
    );
    assert.equal(focus, "list", "the keyboard goes on in the list");
  });

  test("ten clients at a time fit into a drawer, and each filter can be pressed", async (t) => {
    const page = await wire(t, server, { viewport: { width: 656, height: 720 } });
    const talk = new Conversation();
    await add(
      page,
      Array.from({ length: 20 }, () => talk.connect("somebody", "/ws")).flat(),
    );

    const isOut = ({ x, width }) => x < 0 || x + width > 656;
    const boxes = await page
      .locator("wire-view .clients button")
      .evaluateAll((chips) => chips.map((chip) => chip.getBoundingClientRect().toJSON()));
    assert.equal(boxes.length, 20, "each client has a filter");
    assert.deepEqual(boxes.filter(isOut), [], "no mouse gets to what is out of sight");
  });

  for (const width of [390, 912, 1032]) {
    test(`${width} pixels are enough for the filters of four clients in one line`, async (t) => {
      const page = await wire(t, server, { viewport: { width, height: 808 } });
      await add(page, threePeople());

      const chips = page.locator("wire-view .clients button");
      const tops = await chips.evaluateAll((all) =>
        all.map((chip) => chip.getBoundingClientRect().top),
      );
      assert.equal(tops.length, 4, "Ana, Ben, Cem and Eve");
      assert.equal(new Set(tops).size, 1, "a column of them would leave no room for rows");
    });
  }

  test("the switch for large type makes it large, and the usual size again", async (t) => {
    const page = await wire(t, server);
    await add(page, threePeople());
    const size = () =>
      list(page).evaluate((list) => getComputedStyle(list.querySelector(".row")).fontSize);
    const pressed = () => button(page, "Large type").getAttribute("aria-pressed");

    await button(page, "Large type").click();
    assert.deepEqual([await size(), await pressed()], ["21px", "true"]);
    const rows = await inSight(page);
    assert.equal(rows.at(-1), threePeople().length, "the newest row is still the last");
    await button(page, "Large type").click();
    assert.deepEqual([await size(), await pressed()], ["14px", "false"]);
  });

  test("large type is remembered by the next page, and so is the usual size", async (t) => {
    const page = await openWindow(t, `${server.url}/lab.html`);
    const size = () =>
      page.locator("wire-view .view").evaluate((view) => getComputedStyle(view).getPropertyValue("--type"));
    const large = page.getByRole("button", { name: "Large type" });

    for (const expected of ["21px", "14px"]) {
      await large.click();
      await page.reload();
      await large.waitFor();
      assert.equal(await size(), expected, "the same as before the reload");
    }
  });

  test("in JSON, values stand out from what holds them together", async (t) => {
    const page = await wire(t, server);
    const talk = new Conversation();
    const text = '{"type":"chat","n":[-1.5e3,true,null],"s":"a \\" :"}';
    await add(page, [...talk.connect("ana", "/ws"), ...talk.hears(1, text)]);

    const row = rowThat(page, '"chat"').locator(".says");
    assert.equal(await row.textContent(), text, "nothing is lost");
    const values = await row.locator("em").allTextContents();
    assert.deepEqual(values, ['"chat"', "-1.5e3", "true", "null", '"a \\" :"']);
    const [ink, quiet] = await row.evaluate((says) =>
      [says.querySelector("em"), says.querySelector(".json")].map(
        (part) => getComputedStyle(part).color,
      ),
    );
    assert.notEqual(ink, quiet, "keys and brackets are quiet");
  });

  test("a number is shown as it was sent, in the list and in the panel", async (t) => {
    const page = await wire(t, server);
    const talk = new Conversation();
    const numbers = ["12345678901234567890", "1.0", "-1.5e3"];
    const text = `{"numbers":[${numbers}]}`;
    await add(page, [...talk.connect("ana", "/ws"), ...talk.hears(1, text)]);

    const values = rowThat(page, '"numbers"').locator("em");
    assert.deepEqual(await values.allTextContents(), numbers);
    await choose(page, '"numbers"');
    await page.keyboard.press("Enter");
    const drawn = panel(page).locator(".json b");
    assert.deepEqual(await drawn.allTextContents(), numbers, "a script would round the first");
  });

  test("JSON is folded out, and can be folded by the keyboard", async (t) => {
    const page = await wire(t, server);
    const talk = new Conversation();
    const value = { type: "history", messages: [{ from: "ana", content: "Hi" }] };
    await add(page, [
      ...talk.connect("ana", "/ws"),
      ...talk.hears(1, JSON.stringify(value)),
    ]);

    await choose(page, "history");
    await page.keyboard.press("Enter");

    const text = panel(page).getByText('"content": "Hi"');
    await text.waitFor();
    await panel(page).locator("summary", { hasText: '"messages": [' }).focus();
    await page.keyboard.press("Enter");
    assert.equal(await text.isVisible(), false, "the list is folded");
  });

  test("the header is shown bit by bit, and what masking did", async (t) => {
    const page = await wire(t, server);
    await add(page, threePeople());

    await choose(page, "Hello, everybody!");
    await page.keyboard.press("Enter");

    const boxes = await panel(page).locator(".bits div").allInnerTexts();
    assert.deepEqual(
      boxes.map((box) => box.replace(/\s+/g, " ")),
      [
        "1 FIN",
        "000 RSV",
        "0001 text",
        "1 MASK",
        "0101101 length 45",
        "f8 dd 4d 6f the masking key",
      ],
      "two bytes, and four of the key",
    );
    const table = await panel(page).locator("tr").allInnerTexts();
    const [sent, key, gives, reads] = table.map((row) => row.split(/\s+/).slice(-16));
    const xor = sent.map((byte, i) => parseInt(byte, 16) ^ parseInt(key[i], 16));
    assert.equal(
      String.fromCharCode(...xor),
      '{"type":"chat","',
      "sent XOR key is the text",
    );
    assert.deepEqual(
      gives.map((byte) => parseInt(byte, 16)),
      xor,
      "the third line has it",
    );
    assert.equal(reads.join(""), '{"type":"chat","', "and the fourth can be read");
  });

  test("an opcode is called as in RFC 6455", async (t) => {
    const page = await wire(t, server);
    const talk = new Conversation();
    const rows = [
      talk.connect("ana", "/ws"),
      talk.frame(1, "client", 1, "Hel", { fin: false }),
      talk.frame(1, "client", 0, "lo, Ben", { part: 2 }),
    ];
    await add(page, rows.flat());

    await choose(page, "lo, Ben");
    await page.keyboard.press("Enter");

    const boxes = await panel(page).locator(".bits div").allInnerTexts();
    assert.equal(boxes[2].replace(/\s+/g, " "), "0000 continuation", "the row says so, too");
  });

  for (const [len, box] of [
    [200, "00 c8 length 200, in 2 bytes"],
    [70_000, "00 00 00 00 00 01 11 70 length 70,000, in 8 bytes"],
  ]) {
    test(`a length of ${len} has bytes of its own`, async (t) => {
      const page = await wire(t, server);
      const talk = new Conversation();
      await add(page, [...talk.connect("ana", "/ws"), ...talk.hears(1, "x".repeat(len))]);

      await choose(page, "xxxx");
      await page.keyboard.press("Enter");

      const boxes = await panel(page).locator(".bits div").allInnerTexts();
      assert.equal(boxes.at(-1).replace(/\s+/g, " "), box, "the big end first");
    });
  }

  test("Sec-WebSocket-Accept is computed, and a wrong one is told", async (t) => {
    const page = await wire(t, server);
    const talk = new Conversation();
    const good = talk.connect("ana", "/ws");
    const bad = talk.connect("ben", "/ws");
    bad[2].head = bad[2].head.map((line) => line.replace(/(accept: ).*/, "$1AAAA"));
    await add(page, [...good, ...bad]);

    await choose(page, "101");
    await page.keyboard.press("Enter");
    await panel(page).getByText("✓ The server sent the same").waitFor();
    await panel(page)
      .getByText("s3pPLMBiTxaQ9kYGzzhZRbK+xOo=", { exact: true })
      .waitFor();
    await page.keyboard.press("End");
    await panel(page).getByText("✗ The server sent AAAA.").waitFor();
  });

  test("a Close is explained, and a pong says how long it took", async (t) => {
    const page = await wire(t, server);
    await add(page, threePeople());

    await choose(page, "4008");
    await page.keyboard.press("Enter");
    await panel(page)
      .getByText("Too slow: too many messages were waiting for us.")
      .waitFor();
    await choose(page, "after our ping");
    await panel(page).getByText("The round trip took 0.38 ms").waitFor();
    await choose(page, "the server hung up first");
    await panel(page).getByText("RFC 6455 asks the server to hang up first").waitFor();
    await choose(page, "the client hung up first");
    await panel(page).getByText("There was no WebSocket on this connection.").waitFor();
  });

  test("filters show the clients, the kinds and the texts that are asked for", async (t) => {
    const page = await wire(t, server);
    await add(page, threePeople());
    const footer = page.locator("wire-view .count");
    const total = threePeople().length;

    await button(page, "close").click();
    await footer.getByText(`6 of ${total} rows`, { exact: true }).waitFor();
    await button(page, "Ben").click();
    await footer.getByText(`2 of ${total} rows`, { exact: true }).waitFor();
    await button(page, "close").click();
    await page.getByLabel("Filter text").fill("köln");
    await footer.getByText(`2 of ${total} rows`, { exact: true }).waitFor();
    await button(page, "Ben").click();
    await page.getByLabel("Filter text").fill("nobody says this");
    await page.getByText("No row is of this kind.").waitFor();
  });

  test("a filter for a client also shows how its next connection began", async (t) => {
    const page = await wire(t, server);
    const talk = new Conversation();
    await add(page, [...talk.connect("ana", "/ws"), ...talk.gone(1)]);
    await button(page, "Ana").click();

    const [opened, ...rest] = talk.connect("ana", "/ws");
    await add(page, [opened]);
    await add(page, rest);

    await page.getByText("7 of 7 rows").waitFor();
  });

  test("a row that was cleared cannot be opened", async (t) => {
    const page = await wire(t, server);
    await add(page, threePeople());
    await choose(page, "Hello, everybody!");
    await button(page, "Clear").click();

    await list(page).focus();
    await page.keyboard.press("Enter");
    await frames(page, 2);

    assert.equal(await panel(page).isVisible(), false, "nobody sees which row it is");
  });

  test("Pause keeps the list as it is, and counts what comes", async (t) => {
    const page = await wire(t, server);
    const talk = new Conversation();
    await add(page, talk.connect("ana", "/ws"));

    await button(page, "Pause").click();
    await add(page, [...talk.says(1, "one"), ...talk.says(1, "two")]);

    await button(page, "Resume (2)").waitFor();
    const rows = await page.locator("wire-view .row:not([hidden])").count();
    assert.equal(rows, 3, "those of the handshake");
    await button(page, "Resume (2)").click();
    await page.locator("wire-view .row", { hasText: "two" }).waitFor();
  });

  test("Clear forgets the rows, and keeps a lane for who is connected", async (t) => {
    const page = await wire(t, server);
    await add(page, threePeople());
    await add(page, new Conversation().connect("dan", "/ws"));

    await button(page, "Clear").click();

    await page.locator("wire-view .count", { hasText: "0 of 0 rows" }).waitFor();
    const names = await page.locator("wire-view .names .lanes b").allTextContents();
    assert.deepEqual(names, ["Dan", "server"], "the others have gone");
  });

  test("Copy as transcript puts the session on the clipboard", async (t) => {
    const page = await wire(t, server, {
      permissions: ["clipboard-read", "clipboard-write"],
    });
    await add(page, threePeople());

    await button(page, "Copy as transcript").click();
    await page.locator("wire-view .status", { hasText: "Copied:" }).waitFor();

    const text = await page.evaluate(() => navigator.clipboard.readText());
    assert.equal(text, transcriptOf(rowsOf(threePeople())), "it is the transcript");
  });

  test("a page that may not copy shows the transcript instead", async (t) => {
    const page = await wire(t, server, {
      prepare: (page) =>
        page.addInitScript(() => {
          Object.defineProperty(navigator, "clipboard", { value: undefined });
        }),
    });
    await add(page, threePeople());

    await button(page, "Copy as transcript").click();

    const text = await page.getByLabel("The transcript").inputValue();
    assert.match(text, /^ana connects/, "one can copy it from there");
  });

  test("Download saves the rows, one line of JSON each", async (t) => {
    const page = await wire(t, server);
    await add(page, threePeople());

    const saved = page.waitForEvent("download");
    await button(page, "Download").click();

    const text = readFileSync(await (await saved).path(), "utf8");
    const rows = text
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line));
    assert.deepEqual(
      rows,
      JSON.parse(JSON.stringify(threePeople())),
      "as the server sent them",
    );
  });

  test("who scrolls back stays there while rows come, and one button leads to the end", async (t) => {
    const page = await wire(t, server, { viewport: { width: 1280, height: 500 } });
    await add(page, threePeople());
    await list(page).evaluate((list) => list.scrollTo(0, 100));
    await frames(page, 2);
    const before = await inSight(page);

    const talk = new Conversation();
    await add(page, [
      ...talk.wait(9_000).connect("dan", "/ws"),
      ...talk.says(1, "the newest"),
    ]);

    assert.deepEqual(await inSight(page), before, "the list does not jump");
    await page.getByRole("button", { name: /^↓ \d+ more$/ }).click();
    await page.locator("wire-view .row", { hasText: "the newest" }).waitFor();
  });

  test("milliseconds count from the row before, or from the first", async (t) => {
    const page = await wire(t, server);
    const talk = new Conversation();
    const rows = [...talk.connect("ana", "/ws"), ...talk.wait(500).says(1, "Hi")];
    const hello = talk.wait(300).says(1, "Hello");
    await add(page, [...rows, ...hello]);
    const time = page.locator("wire-view .row", { hasText: "Hello" }).locator(".time");

    assert.equal(await time.innerText(), "+300", "after the row before");
    await button(page, "Since first").click();
    await frames(page, 2);
    assert.equal(await time.innerText(), "800", "after the first row");
    const isPressed = await button(page, "Since first").getAttribute("aria-pressed");
    assert.equal(isPressed, "true", "and the button says so");
  });

  test("markup in a message stays text, in the row and in the panel", async (t) => {
    const page = await wire(t, server);
    const talk = new Conversation();
    const text = '<img src="x" onerror="document.title = 1">';
    await add(page, [...talk.connect("ana", "/ws"), ...talk.says(1, text)]);
    await add(page, talk.hears(1, JSON.stringify({ [text]: text })));

    await choose(page, "<img");
    await page.keyboard.press("Enter");
    await page.keyboard.press("ArrowDown");

    assert.equal(await page.locator("wire-view img").count(), 0, "no image is there");
    assert.notEqual(await page.title(), "1", "and no script of a stranger runs");
  });

  for (const [name, options] of Object.entries({
    light: { colorScheme: "light" },
    dark: { colorScheme: "dark" },
    phone: { viewport: { width: 390, height: 844 } },
    "forced colours": { forcedColors: "active" },
    "large type": { attributes: "large" },
  })) {
    test(`for everybody: ${name}`, async (t) => {
      const page = await wire(t, server, options);
      assert.deepEqual(await findings(page), [], "when it is empty");

      await add(page, threePeople());
      await choose(page, "101");
      await page.keyboard.press("Enter");
      await panel(page).getByText("✓").waitFor();
      assert.deepEqual(await findings(page), [], "with a handshake open");

      await choose(page, "Hello, everybody!");
      assert.deepEqual(await findings(page), [], "and with a frame");
    });
  }

  test("a screen reader is told of new rows, but not of each", async (t) => {
    const page = await wire(t, server);
    const talk = new Conversation();
    await page.evaluate(() => {
      globalThis.told = [];
      const region = document
        .querySelector("wire-view")
        .shadowRoot.querySelector("[role=status]");
      new MutationObserver(() => globalThis.told.push(region.textContent)).observe(
        region,
        {
          childList: true,
        },
      );
    });

    await add(page, talk.connect("ana", "/ws"));
    for (let i = 0; i < 30; i += 1) await add(page, talk.says(1, `${i}`));

    const told = await page.evaluate(() => globalThis.told);
    assert.deepEqual(told, ["3 new rows."], "the other thirty wait for the next time");
  });

  test("10,000 messages in ten seconds do not freeze it", async (t) => {
    const page = await wire(t, server, { viewport: { width: 1920, height: 1080 } });
    const talk = new Conversation();
    await add(page, talk.connect("ana", "/ws"));
    const [template] = talk.says(
      1,
      '{"type":"chat","content":"Hello, everybody! Number 00000"}',
    );

    const measured = await page.evaluate(async (template) => {
      const view = document.querySelector("wire-view");
      const frames = [];
      let last = performance.now();
      let isOver = false;
      const count = (now) => {
        frames.push(now - last);
        last = now;
        if (!isOver) requestAnimationFrame(count);
      };
      requestAnimationFrame(count);
      const start = performance.now();
      let sent = 0;
      while (sent < 20_000) {
        await new Promise((resolve) => setTimeout(resolve, 50));
        const due = Math.min(20_000, Math.floor((performance.now() - start) * 2));
        const rows = [];
        for (; sent < due; sent += 1) {
          const from = sent % 2 ? "server" : "client";
          rows.push({ ...template, t: template.t + sent / 2, from });
        }
        view.add(rows);
      }
      const seconds = (performance.now() - start) / 1000;
      isOver = true;
      frames.sort((a, b) => a - b);
      return {
        seconds,
        fps: frames.length / seconds,
        p95: frames[Math.floor(frames.length * 0.95)],
        longest: frames.at(-1),
        elements: view.shadowRoot.querySelectorAll("*").length,
      };
    }, template);
    const session = await page.context().newCDPSession(page);
    await session.send("HeapProfiler.collectGarbage");
    const { usedSize } = await session.send("Runtime.getHeapUsage");
    const heap = usedSize / 1024 / 1024;
    t.diagnostic(JSON.stringify({ ...measured, heap }));

    assert.ok(measured.seconds < 20, `it took ${measured.seconds} s instead of 10`);
    // Far below what we measure: CI's two cores have other things to do at the same time.
    assert.ok(measured.fps > 5, `only ${measured.fps} frames a second`);
    assert.ok(measured.longest < 2000, `a frame took ${measured.longest} ms`);
    assert.ok(measured.elements < 2_000, `${measured.elements} elements are too many`);
    assert.ok(heap < 64, `the heap has ${heap} MB`);
    const words = await page.locator("wire-view .count").innerText();
    assert.match(
      words,
      /^[\d,]+ of 20,003 rows, [\d,]+ left out$/,
      "and it says what is left out",
    );
  });
});

/** Opens a socket in the page, as its own script would, and waits until it is open. */
const connect = (page, name, path) =>
  page.evaluate(
    async ([name, path]) => {
      globalThis.sockets ??= {};
      const { connecting } = await import("/xray.js");
      globalThis.sockets[name] = await connecting(name, () => new WebSocket(path));
    },
    [name, path],
  );

const say = (page, name, text) =>
  page.evaluate(([name, text]) => globalThis.sockets[name].send(text), [name, text]);

const follow = (page) =>
  page.evaluate(async () => {
    globalThis.stop = await document.querySelector("wire-view").connect();
  });

const rowThat = (page, text) => page.locator("wire-view .row", { hasText: text }).first();

/** Replays the transcript of the view: the lines that are false, and what came instead. */
const replayed = (page) =>
  page.evaluate(async () => {
    const { parse, replay } = await import("/transcript.js");
    const text = document.querySelector("wire-view").transcript();
    const steps = parse(text);
    const wrong = [];
    await replay(
      steps,
      location.origin,
      ({ line }, came) => came && wrong.push([line, came]),
    );
    return { steps: steps.length, wrong, text };
  });

/** Without X-ray, as a release build is. */
const WITHOUT = {
  prepare: (page) =>
    page.route("**/lab.json", (route) => route.fulfill({ json: { xray: false } })),
};

describe("X-ray and the recorder", LIMITS, () => {
  useBrowser();

  for (const [name, options] of [
    ["X-ray", {}],
    ["the recorder of sockets", WITHOUT],
  ]) {
    test(`a conversation in rooms, seen by ${name}, is a true transcript`, async (t) => {
      const server = await start("lesson_07_rooms");
      const page = await wire(t, server, options);
      t.after(() => server.stop());
      await follow(page);

      await connect(page, "ana", "/ws/chat/rust/ana");
      await connect(page, "ben", "/ws/chat/rust/ben");
      await rowThat(page, '"user_joined"').waitFor();
      await say(page, "ana", '{"type":"chat","content":"Grüße 🦀"}');
      await rowThat(page, /"from":"ana".*🦀/).waitFor();
      await say(page, "ben", "no JSON at all");
      await page.evaluate(() => globalThis.sockets.ben.send(new Uint8Array([1, 2])));
      await rowThat(page, '"type":"error"').waitFor();
      await page.evaluate(() => globalThis.sockets.ben.close(1000, "dinner"));
      await rowThat(page, '"user_left"').waitFor();
      await page.evaluate(() => globalThis.sockets.ana.close());
      await page.waitForFunction(
        () => globalThis.sockets.ana.readyState === WebSocket.CLOSED,
      );
      await page.evaluate(() => globalThis.stop());

      const { steps, wrong, text } = await replayed(page);
      assert.deepEqual(wrong, [], `each line should be true:\n${text}`);
      assert.ok(steps >= 10, text);
      for (const line of ["ana connects /ws/chat/rust/ana", "ben closes 1000 dinner"])
        assert.ok(text.includes(`${line}\n`), `“${line}” should be in\n${text}`);
    });

    test(`a token, seen by ${name}, is in no row, and the transcript signs in`, async (t) => {
      const server = await start("lesson_08_auth");
      const page = await wire(t, server, options);
      t.after(() => server.stop());
      await follow(page);

      const token = await page.evaluate(async () => {
        const { signIn } = await import("/transcript.js");
        return (await signIn(location.origin, "ana", "ana-likes-tea")).token;
      });
      await connect(page, "ana", `/ws/chat/rust?token=${token}`);
      await say(page, "ana", '{"type":"chat","content":"It is me."}');
      await rowThat(page, '"from":"ana"').waitFor();
      await page.evaluate(() => globalThis.sockets.ana.close(1000));
      await page.waitForFunction(
        () => globalThis.sockets.ana.readyState === WebSocket.CLOSED,
      );
      await page.evaluate(() => globalThis.stop());

      const shown = await list(page).textContent();
      assert.ok(!shown.includes(token), `no row should have the token:\n${shown}`);
      const { wrong, text } = await replayed(page);
      assert.ok(!text.includes(token), `nor should the transcript:\n${text}`);
      assert.deepEqual(wrong, [], `each line should be true:\n${text}`);
    });
  }

  test("a rejection is shown with its status by X-ray, and as a rejection without", async (t) => {
    for (const [options, words] of [
      [{}, "HTTP/1.1 400 Bad Request · Invalid URL: a name has 1 to 40 letters"],
      [WITHOUT, "a browser hides the reason"],
    ]) {
      const server = await start("lesson_07_rooms");
      const page = await wire(t, server, {
        ...options,
        excused: [/Unexpected response code/],
      });
      t.after(() => server.stop());
      await follow(page);

      await connect(page, "eve", "/ws/chat/no%20spaces/eve");

      const row = page.locator("wire-view .row.response.fault", { hasText: words });
      await row.waitFor().catch(async () => {
        assert.fail(`${await list(page).textContent()} should have ${words}`);
      });
    }
  });

  test("masks and the handshake of a real connection are right", async (t) => {
    const server = await start("lesson_01_echo");
    const page = await wire(t, server);
    t.after(() => server.stop());
    await follow(page);
    await connect(page, "ana", "/ws");
    await say(page, "ana", "Hello");
    await rowThat(page, "Echo: Hello").waitFor();

    await choose(page, "Hello");
    await page.keyboard.press("Enter");
    const [sent, key] = await panel(page).locator("tr").allInnerTexts();
    const bytes = (line) =>
      line
        .trim()
        .split(/\s+/)
        .slice(-5)
        .map((byte) => parseInt(byte, 16));
    const text = bytes(sent).map((byte, i) => byte ^ bytes(key)[i]);
    assert.equal(String.fromCharCode(...text), "Hello", "sent XOR key is what was said");
    await choose(page, "101");
    await panel(page).getByText("✓ The server sent the same").waitFor();
  });

  test("a label stays with its connection, however many are opened at once", async (t) => {
    const server = await start("lesson_01_echo");
    const page = await wire(t, server);
    t.after(() => server.stop());
    await follow(page);

    await page.evaluate(async () => {
      const { connecting } = await import("/xray.js");
      const names = Array.from({ length: 20 }, (_, i) => `c${i}`);
      globalThis.all = await Promise.all(
        names.map(async (name) => {
          const socket = await connecting(name, () => new WebSocket("/ws"));
          socket.send(name);
          return socket;
        }),
      );
    });
    await page.locator("wire-view .count", { hasText: "100 of 100 rows" }).waitFor();

    const lines = (
      await page.evaluate(() => document.querySelector("wire-view").transcript())
    ).split("\n");
    const sent = lines.filter((line) => line.includes("sends"));
    assert.equal(sent.length, 20, "each has sent its name");
    for (const line of sent)
      assert.match(line, /^(c\d+) sends "\1"$/, "the name is its own");
  });

  test("a token for the cookie is made once, and labels change", async (t) => {
    const server = await start("lesson_01_echo");
    const page = await wire(t, server);
    t.after(() => server.stop());

    const cookies = await page.evaluate(async () => {
      const { mark } = await import("/xray.js");
      return ["ana", "", "José-7_x; path=/", "a".repeat(30)].map((label) => {
        mark(label);
        return document.cookie;
      });
    });

    const tokens = new Set(
      cookies.map((cookie) => /^xray=([\da-f]{32})./.exec(cookie)?.[1]),
    );
    assert.equal(tokens.size, 1, `one token for all, not ${cookies}`);
    assert.deepEqual(
      cookies.map((cookie) => cookie.split(".")[1]),
      ["ana", "", "José-7_xpath", "a".repeat(20)],
      "nothing in a label can end it",
    );
  });

  test("a view that the server refuses does not say that the server is gone", async (t) => {
    const server = await start("lesson_01_echo");
    const refusesCookies = () =>
      Object.defineProperty(Document.prototype, "cookie", {
        get: () => `xray=${"0".repeat(32)}.ana`, // The browser sends none.
        set() {},
      });
    const page = await wire(t, server, {
      prepare: (page) => page.addInitScript(refusesCookies),
      excused: [/Unexpected response code: 400/],
    });

    t.after(() => server.stop());
    await follow(page);

    const status = page.locator("wire-view .status", { hasText: "." });
    const sentence = await status.textContent();
    assert.match(sentence, /^The server answers, but it does not let this window look on\./);
  });

  test("when the server is restarted the view says so, and goes on with the new one", async (t) => {
    const first = await start("lesson_01_echo");
    t.after(() => first.stop());
    const page = await wire(t, first, { excused: [/ERR_CONNECTION/] });
    await follow(page);
    await connect(page, "ana", "/ws");
    await say(page, "ana", "before");
    await rowThat(page, "Echo: before").waitFor();

    await first.stop();
    await page.getByText("The server is gone.").waitFor();
    const second = await start("lesson_01_echo", first.port);
    t.after(() => second.stop());
    await page
      .getByText("The server is gone.")
      .waitFor({ state: "hidden", timeout: 30_000 });
    await connect(page, "ana", "/ws");
    await say(page, "ana", "after");

    await rowThat(page, "Echo: after").waitFor();
    const rows = await page
      .locator("wire-view .row:not([hidden])")
      .evaluateAll((rows) =>
        rows
          .toSorted((a, b) => a.ariaPosInSet - b.ariaPosInSet)
          .map((row) => row.textContent),
      );
    const at = (text) => rows.findIndex((row) => row.includes(text));
    assert.ok(at("Echo: before") < at("The server has been restarted"), rows.join("\n"));
    assert.ok(at("The server has been restarted") < at("Echo: after"), rows.join("\n"));
    assert.equal(
      rows.filter((row) => row.includes("Echo: before")).length,
      1,
      "and none twice",
    );
  });

  test("a viewer that comes back to the same server shows no row twice", async (t) => {
    const server = await start("lesson_01_echo");
    const page = await wire(t, server);
    t.after(() => server.stop());
    const rows = await page.evaluate(async () => {
      const { mark, watchXray } = await import("/xray.js");
      const { WebSocket } = globalThis;
      const viewers = [];
      globalThis.WebSocket = class extends WebSocket {
        constructor(...args) {
          super(...args);
          if (this.url.endsWith("/lab/xray")) viewers.push(this);
        }
      };
      mark("ana");
      const rows = [];
      const states = [];
      const wait = (number) =>
        new Promise((resolve) => {
          const timer = setInterval(
            () => rows.length >= number && resolve(clearInterval(timer)),
            20,
          );
        });
      const stop = watchXray({
        onRows: (more) => rows.push(...more),
        onState: (s) => states.push(s),
      });
      const socket = new WebSocket("/ws");
      await wait(3);
      viewers[0].close(3000); // As if the connection had been lost.
      while (states.filter((state) => state === "open").length < 2)
        await new Promise((resolve) => setTimeout(resolve, 20));
      socket.send("Hello");
      await wait(5);
      stop();
      return { kinds: rows.map(({ kind }) => kind), states };
    });

    const expected = ["tcp", "request", "response", "frame", "frame"];
    assert.deepEqual(rows.kinds, expected, "the history came twice, and counts once");
    assert.ok(
      !rows.states.includes("restarted"),
      `it is the same server: ${rows.states}`,
    );
  });

  test("rows are told apart by their numbers, and programs by their ids", async (t) => {
    const server = await start("lesson_01_echo");
    const page = await wire(t, server);
    t.after(() => server.stop());

    const seen = await page.evaluate(async () => {
      const { watchXray } = await import("/xray.js");
      const { WebSocket } = globalThis;
      let socket;
      globalThis.WebSocket = class extends EventTarget {
        static CONNECTING = WebSocket.CONNECTING;
        static OPEN = WebSocket.OPEN;
        readyState = WebSocket.OPEN;
        constructor() {
          super();
          socket = this;
          this.dispatchEvent(new Event("open"));
        }
        close() {}
      };
      // All frames of one read have the same time, and maybe they come in two batches.
      const frame = (row) => ({ row, t: 7, connection: 1, from: "client", kind: "frame" });
      const send = (...rows) =>
        socket.dispatchEvent(new MessageEvent("message", { data: JSON.stringify(rows) }));
      const program = (id) => ({ kind: "program", id });

      const seen = [];
      const memory = {};
      const watch = () =>
        watchXray({
          seen: memory,
          onRows: (rows) => seen.push(...rows.map(({ row }) => row)),
          onState: (state) => state === "restarted" && seen.push(state),
        });
      let stop = watch();
      send(program("a"), frame(1), frame(2));
      send(frame(4));
      stop();
      stop = watch();
      send(program("a"), frame(2), frame(4), frame(5));
      stop();
      stop = watch();
      send(program("b"), frame(1));
      stop();
      globalThis.WebSocket = WebSocket;
      return seen;
    });

    assert.deepEqual(seen, [1, 2, 4, 5, "restarted", 1]);
  });

  test("a flood in one write loses no row without a count of it", async (t) => {
    const server = await start("lesson_01_echo");
    const page = await wire(t, server);
    t.after(() => server.stop());
    await follow(page);
    const cookie = await page.evaluate(() => document.cookie);
    const FRAMES = 2_000;

    const socket = connectTcp(server.port, "127.0.0.1");
    t.after(() => socket.destroy());
    socket.write(
      `GET /ws HTTP/1.1\r\nHost: 127.0.0.1:${server.port}\r\nConnection: Upgrade\r\n` +
        "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n" +
        `Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nCookie: ${cookie}\r\n\r\n`,
    );
    await once(socket, "data");
    socket.resume();
    const frame = Buffer.from([0x81, 0x81, 0, 0, 0, 0, 0x78]); // “x”, with a mask of zeros.
    socket.write(Buffer.concat(Array(FRAMES).fill(frame)));

    const total = 3 + 2 * FRAMES; // The connection, both heads, and the echoes, too.
    const counted = () =>
      page.evaluate(() => {
        const view = document.querySelector("wire-view");
        const number = (words) => Number(words.replaceAll(",", ""));
        const [, rows] = /of ([\d,]+) rows/.exec(view.shadowRoot.textContent);
        const gaps = [...view.transcript().matchAll(/^# Here ([\d,]+) rows are left out/gm)];
        return gaps.reduce((sum, [, left]) => sum + number(left) - 1, number(rows));
      });
    const deadline = Date.now() + 20_000;
    while ((await counted()) < total && Date.now() < deadline)
      await new Promise((resolve) => setTimeout(resolve, 100));
    assert.equal(await counted(), total, "each row is shown, or counted");
  });

  test("the recorder puts a Blob where it was sent, though reading it takes a while", async (t) => {
    const server = await start("lesson_01_echo");
    const page = await wire(t, server, WITHOUT);
    t.after(() => server.stop());
    await follow(page);
    await connect(page, "ana", "/ws");

    await page.evaluate(() => {
      const { ana } = globalThis.sockets;
      ana.send(new Blob([new Uint8Array([1, 2, 3])]));
      ana.send("the second");
    });
    await rowThat(page, "Echo: the second").waitFor();
    await rowThat(page, "01 02 03").waitFor();

    const text = await page.evaluate(() => document.querySelector("wire-view").transcript());
    const sent = text.split("\n").filter((line) => line.includes(" sends "));
    assert.deepEqual(sent, ["ana sends bytes 01 02 03", 'ana sends "the second"']);
  });

  test("the recorder gives the window its own class back", async (t) => {
    const server = await start("lesson_01_echo");
    const page = await wire(t, server, WITHOUT);
    t.after(() => server.stop());

    const isBack = await page.evaluate(async () => {
      const before = globalThis.WebSocket;
      const stop = await document.querySelector("wire-view").connect();
      const isReplaced = globalThis.WebSocket !== before;
      stop();
      return isReplaced && globalThis.WebSocket === before;
    });

    assert.ok(isBack, "while it records, the class is another one");
  });
});
