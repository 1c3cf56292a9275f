// The lab, and its <ws-lab> on a page of another origin.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import { describe, test } from "node:test";

import { openWindow, overflow, sees, useBrowser } from "./browser.mjs";
import { findings } from "./everybody.mjs";
import { start } from "./server.mjs";

const LIMITS = { timeout: 480_000 };
const PAGES = new URL("../../static/", import.meta.url);

/** Where `mdbook serve` shows the book: the one origin that lesson 08 lists. */
const BOOK = 3000;

const EVERY = [
  "lesson_01_echo",
  "lesson_02_disconnect",
  "lesson_03_connection_manager",
  "lesson_04_path_params",
  "lesson_05_query_params",
  "lesson_06_json",
  "lesson_07_rooms",
  "lesson_08_auth",
  "lesson_09_heartbeat",
  "lesson_10_rate_limit",
  "lesson_11_connection_limits",
  "lesson_12_slow_clients",
  "lesson_13_shutdown",
  "lesson_14_live_list",
  "lesson_15_database",
  "lesson_16_channels",
  "lesson_17_tasks",
  "lesson_18_delivery",
  "lesson_20_scale_out",
  "lesson_21_observability",
  "lesson_22_edge",
  "exercises",
  "solutions",
];

async function lab(t, name, { hash = "", ...options } = {}) {
  const server = await start(name);
  const page = await openWindow(t, `${server.url}/lab.html${hash}`, options);
  t.after(() => server.stop()); // After the window, which may still ask for something.
  await client(page, "Cem").waitFor(); // Its script has asked the server what it is.
  return { page, server };
}

const client = (page, name) => page.getByRole("region", { name, exact: true });

async function press(page, name, button) {
  await client(page, name).getByRole("button", { name: button, exact: true }).click();
}

async function connect(page, name) {
  await press(page, name, "Connect");
  await client(page, name).getByText("Connected.").waitFor();
}

async function breakIt(page, name, button) {
  const details = client(page, name).locator("details");
  if ((await details.getAttribute("open")) === null)
    await details.locator("summary").click();
  await press(page, name, button);
}

/** Waits for a row of the wire view that contains `expected`. */
function shows(page, expected, why) {
  const row = page.locator("wire-view [role=option]", { hasText: expected }).first();
  return row.waitFor().catch(async () => {
    const rows = await page.locator("wire-view [role=option]").allInnerTexts();
    assert.fail(`${why}: no row has “${expected}”, but there is ${JSON.stringify(rows)}`);
  });
}

/** Opens the part of the lab where transcripts are replayed, if it is not open. */
async function openReplay(page) {
  const replay = page.locator("#replay");
  if ((await replay.getAttribute("open")) === null) await replay.locator("summary").click();
}

/** The lines that have a verdict, as "1 true" or "2 false What came instead: …". */
const verdicts = (page) =>
  page.locator("ws-lab li").evaluateAll((items) =>
    items
      .map((item, i) => [item, `${i + 1} ${item.className}`])
      .filter(([item]) => item.className)
      .map(([item, text]) =>
        `${text} ${item.querySelector("small")?.textContent ?? ""}`.trim(),
      ),
  );

/** Presses Tab until the keyboard is in what `selector` picks. */
async function tabTo(page, selector) {
  const isThere = (selector) => document.activeElement.matches(selector);
  for (let tries = 0; tries < 60; tries += 1) {
    if (await page.evaluate(isThere, selector)) return;
    await page.keyboard.press("Tab");
  }
  assert.fail(`Tab should lead to ${selector}`);
}

/** Waits until the keyboard is in what `selector` picks. */
async function isIn(page, selector, why) {
  const isThere = (selector) => document.activeElement.closest(selector) !== null;
  await page.waitForFunction(isThere, selector).catch(async () => {
    const active = await page.evaluate(() => document.activeElement.outerHTML.slice(0, 80));
    assert.fail(`${why}: the keyboard should be in ${selector}, but it is in ${active}`);
  });
}

async function replay(page, ending) {
  await page.getByRole("button", { name: "Replay" }).click();
  await page.locator("ws-lab output", { hasText: ending }).waitFor({ timeout: 20_000 });
}

/** Serves a page with a transcript where the book's preview would be. */
async function book(t, attributes, transcript) {
  const html = `<!doctype html><html lang="en"><title>A page of the book</title>
    <link rel="icon" href="data:,">
    <script type="module" src="/ws-lab.js"></script>
    <main><h1>A page of the book</h1>
    <ws-lab ${attributes}><pre><code>${transcript}</code></pre></ws-lab></main></html>`;
  const server = createServer(({ url }, response) => {
    const script = url.endsWith(".js");
    response.setHeader(
      "Content-Type",
      script ? "text/javascript" : "text/html; charset=utf-8",
    );
    response.end(script ? readFileSync(new URL(`.${url}`, PAGES)) : html);
  });
  await new Promise((resolve) => server.listen(BOOK, "127.0.0.1", resolve));
  t.after(() => server.close());
  return `http://127.0.0.1:${BOOK}`;
}

describe("the lab", LIMITS, () => {
  useBrowser();

  for (const name of EVERY) {
    test(`is ready for ${name}: Connect and Send are enough`, async (t) => {
      const { page, server } = await lab(t, name);

      await connect(page, "Ana");
      await connect(page, "Ben");
      await press(page, "Ana", "Send");

      const { messages } = await (await fetch(`${server.url}/lab.json`)).json();
      await shows(page, messages[0], "what Ana says is a row");
      await shows(page, "101 Switching Protocols", "and so is the upgrade, by X-ray");
      await sees(page, "#package", name, "the lab says which program runs");
    });
  }

  test("a page that names no endpoint is told how to", async (t) => {
    const { page } = await lab(t, "lesson_01_echo");
    const json = { package: "my_chat", path: "", messages: [], transcripts: [] };
    await page.route("**/lab.json", (route) => route.fulfill({ json }));

    await page.reload();

    const what = "every client has the line that is missing";
    await sees(page, "#clients output", '<meta name="websocket"', what);
    const address = client(page, "Ana").getByLabel("Address");
    assert.equal(await address.inputValue(), "", "and no endpoint is invented");
  });

  test("a Close has the code and the reason that somebody chose", async (t) => {
    const { page, server } = await lab(t, "lesson_02_disconnect");
    await connect(page, "Ana");

    await client(page, "Ana").getByLabel("Code").fill("4321");
    await client(page, "Ana").getByLabel("Reason").fill("lunch");
    await press(page, "Ana", "Close");

    await sees(page, "#clients output", "Code 4321", "the server answers with the same");
    const isLogged = () => server.output().includes("4321");
    for (let i = 0; i < 100 && !isLogged(); i += 1) await page.waitForTimeout(50);
    assert.ok(isLogged(), "and logs it");
  });

  test("a code that scripts may not send is explained, not thrown", async (t) => {
    const { page } = await lab(t, "lesson_02_disconnect");
    await connect(page, "Ana");

    await client(page, "Ana").getByLabel("Code").fill("1001");
    await press(page, "Ana", "Close");

    await sees(page, "#clients output", "1001", "the browser's sentence is shown");
  });

  test("what breaks a server breaks nobody else", async (t) => {
    const { page, server } = await lab(t, "lesson_07_rooms");
    await connect(page, "Ana");
    await connect(page, "Ben");

    await breakIt(page, "Ana", "Binary");
    await shows(page, "00 7f 80 ff", "bytes are shown as bytes");
    await shows(page, "text, not binary", "and answered with an error");
    await breakIt(page, "Ana", "Garbage");
    await shows(page, "not valid JSON", "garbage is answered, too");
    await breakIt(page, "Ana", "Too long");
    await sees(page, "#clients output", "Code 1009", "what is too long ends with 1009");

    await breakIt(page, "Ben", "Close the tab");
    const isGone = () => /client disconnected room=rust username=ben/.test(server.output());
    for (let i = 0; i < 200 && !isGone(); i += 1) await page.waitForTimeout(50);
    assert.ok(isGone(), "the server notices that Ben is gone");
    await connect(page, "Ben");
    await breakIt(page, "Ben", "A flood");
    await connect(page, "Cem"); // A flood does not bury the page.
  });

  test("a rejection shows its status, which the browser hides", async (t) => {
    const { page } = await lab(t, "lesson_04_path_params", {
      excused: [/response code: 409/],
    });
    await connect(page, "Ana");

    await client(page, "Ben").getByLabel("Address").fill("/ws/1");
    await press(page, "Ben", "Connect");

    await sees(
      page,
      "#clients output",
      "Rejected with status 409. Client 1 is connected already.",
      "Ana has that number",
    );
  });

  test("the three clients have a lane each, also when all connect at once", async (t) => {
    const { page } = await lab(t, "lesson_08_auth"); // No path here says who it is.

    await page.evaluate(() => {
      for (const name of ["Ana", "Ben", "Cem"])
        document.querySelector(`[aria-label=${name}] [name=connect] button`).click();
    });

    for (const name of ["Ana", "Ben", "Cem"]) {
      await client(page, name).getByText("Connected.").waitFor();
      const request = page.locator("wire-view .request", { hasText: `${name} →` });
      await request.waitFor();
      assert.equal(await request.count(), 1, `${name} has made one request`);
    }
  });

  test("the list of rows is as long as a screen, and a flood does not freeze it", async (t) => {
    const viewport = { width: 1920, height: 1080 };
    const { page } = await lab(t, "lesson_01_echo", { viewport });
    await connect(page, "Ana");

    await breakIt(page, "Ana", "A flood");
    await page.locator("wire-view .count", { hasText: /[234],\d\d\d rows/ }).waitFor();

    const rows = page.locator("wire-view [role=option]");
    const inSight = await rows.evaluateAll((rows) => {
      const list = rows[0].closest("[role=listbox]").getBoundingClientRect();
      const [top, bottom] = [Math.max(list.top, 0), Math.min(list.bottom, innerHeight)];
      const boxes = rows.filter((row) => row.checkVisibility()).map((row) => row.getBoundingClientRect());
      return boxes.filter((box) => box.top >= top - 1 && box.bottom <= bottom + 1).length;
    });
    assert.ok(inSight >= 20, `at least 20 messages should be in sight, not ${inSight}`);
    const all = await rows.count();
    assert.ok(all < 100, `and only those are in the document, not ${all}`);
  });

  test("a session that was copied as a transcript can be replayed", async (t) => {
    const { page } = await lab(t, "lesson_07_rooms");
    await connect(page, "Ana");
    await connect(page, "Ben");
    await press(page, "Ana", "Send");
    await shows(page, '"from":"ana"', "the server has told both");
    await press(page, "Ben", "Close");
    await shows(page, "user_left", "and Ana knows that Ben is gone");
    await press(page, "Ana", "Close");
    await client(page, "Ana").getByText("Code 1000").waitFor();

    const transcript = await page.locator("wire-view").evaluate((view) => view.transcript());
    await openReplay(page);
    await page.getByLabel("Or write one").fill(transcript);

    await replay(page, "lines are true.");
  });

  test("beyond loopback there is no X-ray, and the page records its own sockets", async (t) => {
    const server = await start("lesson_07_rooms", 0, { ADDR: "0.0.0.0:0" });
    const page = await openWindow(t, `${server.url}/lab.html`);
    t.after(() => server.stop());

    await connect(page, "Ana");
    await press(page, "Ana", "Send");

    await shows(page, '"from":"ana"', "what is sent and received is there");
    const row = page.locator("wire-view .text", { hasText: "Ana →" });
    assert.equal(await row.count(), 1, "it is Ana who has sent it");
    assert.equal(await page.locator("wire-view .tcp").count(), 0, "what scripts cannot see is not");
  });

  test("what is written survives a reload, by way of the address", async (t) => {
    const { page } = await lab(t, "lesson_07_rooms");
    await client(page, "Ana").getByLabel("Address").fill("/ws/chat/tea/ana");
    await client(page, "Cem")
      .getByLabel("Message")
      .fill('{"type":"chat","content":"Grüße & #"}');
    await openReplay(page);
    await page.getByLabel("Pick one").selectOption("two rooms");
    await page.waitForURL(/two_rooms/);

    const copy = await openWindow(t, page.url()); // As somebody gets it who is given it.
    await sees(copy, "#package", "lesson_07_rooms", "the lab is ready");

    const value = (name, label) => client(copy, name).getByLabel(label).inputValue();
    assert.equal(
      await value("Ana", "Address"),
      "/ws/chat/tea/ana",
      "the address is kept",
    );
    assert.match(await value("Cem", "Message"), /Grüße & #/, "the message is kept");
    assert.match(
      await copy.getByLabel("Or write one").inputValue(),
      /^# .*\n\nana connects/,
      "the transcript is kept",
    );

    await copy.getByLabel("Or write one").fill("ana connects /ws/chat/rust/ana");
    await copy.reload();
    await sees(copy, "#package", "lesson_07_rooms", "the lab is ready again");
    assert.equal(
      await copy.getByLabel("Or write one").inputValue(),
      "ana connects /ws/chat/rust/ana",
      "and so is one's own transcript",
    );
  });

  test("a transcript that is picked can be replayed, and again", async (t) => {
    const { page } = await lab(t, "lesson_07_rooms", { hash: "#transcript=a_room" });

    await replay(page, "All 9 lines are true.");
    await replay(page, "All 9 lines are true.");

    assert.equal((await verdicts(page)).length, 9, "each line has a verdict");
    assert.equal(await page.locator("iframe").count(), 0, "and nobody stays behind");
  });

  test("a false line is red, with what came instead, and the rest is not run", async (t) => {
    const { page } = await lab(t, "lesson_01_echo");
    await openReplay(page);
    await page
      .getByLabel("Or write one")
      .fill(
        '# An echo.\n\nana connects /ws\nana sends "hi"\nana receives "hi"\nana closes 1000',
      );

    await replay(page, "Line 5 is false.");

    assert.deepEqual(
      await verdicts(page),
      ["3 true", "4 true", "5 false What came instead: Echo: hi"],
      "the first false line is the last one that is run",
    );
  });

  test("a transcript that cannot be read says where and why", async (t) => {
    const { page } = await lab(t, "lesson_01_echo");
    await openReplay(page);
    await page.getByLabel("Or write one").fill("ana connects /ws\nana shouts hello");

    await replay(page, "line 2, column 5: expected a verb");

    assert.match(
      (await verdicts(page))[0],
      /^2 false line 2, column 5/,
      "the line is red",
    );
  });

  test("markup in messages and in transcripts is text", async (t) => {
    const { page } = await lab(t, "lesson_01_echo");
    const markup = '<img src="x" onerror="document.title = 1">';
    await connect(page, "Ana");
    await client(page, "Ana").getByLabel("Message").fill(markup);
    await press(page, "Ana", "Send");
    await shows(page, `Echo: ${markup}`, "a message is text");
    await openReplay(page);
    const said = JSON.stringify(markup);
    await page
      .getByLabel("Or write one")
      .fill(`ana connects /ws\nana sends ${said}\nana receives ${said}`);

    await replay(page, "Line 3 is false.");

    assert.match((await verdicts(page))[2], /Echo: <img/, "what came instead is text");
    assert.equal(await page.locator("img").count(), 0, "no image is on the page");
    assert.equal(await page.title(), "The lab", "no script of a stranger runs");
  });

  test("the keyboard alone connects, sends, closes and replays", async (t) => {
    const { page } = await lab(t, "lesson_01_echo", { hash: "#text=ana connects /ws" });

    await tabTo(page, "[aria-label=Ana] [name=path]");
    await page.keyboard.press("Enter");
    await sees(page, "#clients output", "Connected.", "Enter connects");
    await page.keyboard.press("Enter"); // The page has put us into the message.
    await shows(page, "Echo: Hello", "Enter sends");
    for (let i = 0; i < 3; i += 1) await page.keyboard.press("Tab"); // Send, Code, Reason
    await page.keyboard.type("bye");
    await page.keyboard.press("Enter");
    await sees(page, "#clients output", "Code 1000", "Enter closes");
    await page.keyboard.press("Enter"); // The page has put us on the way back.
    await client(page, "Ana").getByText("Connected.").waitFor();
    await tabTo(page, "#transcript textarea");
    await page.keyboard.press("Tab");
    for (let time = 0; time < 2; time += 1) {
      await page.keyboard.press("Enter");
      await page.locator("ws-lab output", { hasText: "All 1 lines are true." }).waitFor();
      await page.keyboard.press("Enter"); // It stops one, or replays again.
      await page.locator("ws-lab output", { hasText: /true|Stopped/ }).waitFor();
    }
  });

  test("the link that skips the bar leaves all that is written where it is", async (t) => {
    const { page } = await lab(t, "lesson_01_echo");
    await client(page, "Ana").getByLabel("Message").fill("half a sentence");
    await connect(page, "Ana");
    await shows(page, "101 Switching Protocols", "there is a row");
    const { hash } = new URL(page.url());

    await page.locator(".skip").focus();
    await page.keyboard.press("Enter");
    await page.waitForTimeout(200); // A reload would begin now.

    const message = await client(page, "Ana").getByLabel("Message").inputValue();
    assert.equal(message, "half a sentence", "the message is still there");
    assert.equal(new URL(page.url()).hash, hash, "and so it is in the address");
    await client(page, "Ana").getByText("Connected.").waitFor();
    await shows(page, "101 Switching Protocols", "and what went over the connection");
    await page.keyboard.press("Tab");
    await isIn(page, "#clients", "the keyboard is behind the bar");
  });

  test("a connection that opens or ends leaves the keyboard in another client's field", async (t) => {
    const { page, server } = await lab(t, "lesson_01_echo", { excused: [/ERR_CONNECTION/] });
    await client(page, "Ben").getByLabel("Message").focus();
    await page.evaluate(() => document.querySelector("[aria-label=Ana] button").click());
    await client(page, "Ana").getByText("Connected.").waitFor();
    await isIn(page, "[aria-label=Ben] [name=text]", "Ana's connection has opened");

    await server.stop();

    await client(page, "Ana").getByText("Code 1006").waitFor();
    await isIn(page, "[aria-label=Ben] [name=text]", "Ana's connection has ended");
  });

  test("after each end the keyboard is on the one way back", async (t) => {
    const { page } = await lab(t, "lesson_04_path_params", { excused: [/response code: 409/] });
    const wayBack = (name) => `[aria-label=${name}] [name=connect] button`;
    await connect(page, "Ana");
    await breakIt(page, "Ana", "Close the tab");
    await isIn(page, wayBack("Ana"), "the tab was closed");

    await connect(page, "Ana");
    await client(page, "Ben").getByLabel("Address").fill("/ws/1");
    await press(page, "Ben", "Connect");
    await client(page, "Ben").getByText("Rejected with status 409").waitFor();
    await isIn(page, wayBack("Ben"), "Ben was rejected");
  });

  test("an address that no WebSocket can have is explained, and one can try another", async (t) => {
    const { page } = await lab(t, "lesson_01_echo");

    await client(page, "Ana").getByLabel("Address").fill("/ws#room=rust");
    await press(page, "Ana", "Connect");

    await sees(page, "#clients output", "fragment", "the browser's sentence is shown");
    assert.equal(await page.locator("iframe").count(), 0, "nothing is left over");
    await client(page, "Ana").getByLabel("Address").fill("/ws");
    await connect(page, "Ana");
  });

  test("a replay can be stopped, and what is edited meanwhile gets no old verdict", async (t) => {
    const { page } = await lab(t, "lesson_01_echo");
    await openReplay(page);
    const written = page.getByLabel("Or write one");
    await written.fill("ana connects /ws\nana waits 1s\nana waits 1min");
    const firstLine = page.locator("ws-lab li.true").first();

    await page.getByRole("button", { name: "Replay" }).click();
    await firstLine.waitFor();
    await page.getByRole("button", { name: "Stop" }).click();
    await page.locator("ws-lab output", { hasText: "Stopped." }).waitFor();
    assert.equal(await page.locator("iframe").count(), 0, "nobody stays behind");

    await page.getByRole("button", { name: "Replay" }).click();
    await firstLine.waitFor();
    await written.fill("# one\n\n# three");
    await page.waitForTimeout(1_500); // Until the second line of the old one is true.
    assert.deepEqual(await verdicts(page), [], "those lines have not run");
    await written.fill("ana connects /ws");
    await replay(page, "All 1 lines are true.");
  });

  for (const colorScheme of ["light", "dark"]) {
    for (const width of [1200, 360]) {
      test(`fits into ${width} pixels, ${colorScheme}, for everybody`, async (t) => {
        const { page } = await lab(t, "lesson_07_rooms", {
          colorScheme,
          viewport: { width, height: 740 },
        });
        await connect(page, "Ana");
        await breakIt(page, "Ana", "Binary");
        await openReplay(page);
        const long = `ana connects /ws/chat/${"x".repeat(200)}/ana`;
        await page
          .getByLabel("Or write one")
          .fill('ana connects /ws/chat/tea/ana\nana sends "x"\nana receives "x"');
        await replay(page, "Line 3 is false.");
        assert.deepEqual(await findings(page), [], "a page for everybody");

        await page.getByLabel("Or write one").fill(long);

        const wide = await overflow(page, "#replay");
        assert.equal(wide, 0, "nobody should have to scroll sideways");
      });
    }
  }
});

describe("<ws-lab> on a page of the book", LIMITS, () => {
  useBrowser();

  const HELLO =
    "ana signs in ana-likes-tea\nana connects /ws/chat/rust?token={ana.token}\n" +
    'ana sends {"type":"ping"}\nana receives {"type":"pong"}\n' +
    "eve is refused 401 /ws/chat/rust?token=sesame\n";

  test("replays against the reader's lesson 08, which lists the book's origin", async (t) => {
    const server = await start("lesson_08_auth");
    t.after(() => server.stop());
    const url = await book(t, `package="lesson_08_auth" server="${server.url}"`, HELLO);
    const page = await openWindow(t, url, { excused: [/HTTP Authentication failed/] });

    await replay(page, "All 5 lines are true.");

    assert.equal((await verdicts(page)).length, 5, "each line has a verdict");
    assert.deepEqual(await findings(page), [], "a page for everybody");
  });

  test("when nobody listens, it says which command starts the server", async (t) => {
    const url = await book(
      t,
      'package="lesson_08_auth" server="http://127.0.0.1:1"',
      HELLO,
    );
    const page = await openWindow(t, url, { excused: [/ERR_/] });

    await replay(
      page,
      "No server answers at http://127.0.0.1:1. Start one: cargo run -p lesson_08_auth",
    );

    assert.deepEqual(await verdicts(page), [], "no line is to blame");
  });

  test("when another lesson listens, it says which one, and what to start", async (t) => {
    const server = await start("lesson_01_echo");
    t.after(() => server.stop());
    const url = await book(
      t,
      `package="lesson_07_rooms" server="${server.url}"`,
      "ana waits 1s",
    );
    const page = await openWindow(t, url);

    await replay(
      page,
      "lesson_01_echo listens there. Stop it. Start one: cargo run -p lesson_07_rooms",
    );
  });

  test("a server that is not of the course is taken as it is", async (t) => {
    const server = createServer((_, response) => response.writeHead(404).end());
    await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
    t.after(() => server.close());
    const own = `http://127.0.0.1:${server.address().port}`;
    const transcript = "eve is refused 401 /ws\nana connects /ws";
    const url = await book(t, `package="lesson_07_rooms" server="${own}"`, transcript);
    const page = await openWindow(t, url, { excused: [/./] }); // It may not read answers.

    await replay(page, "Line 2 is false.");

    assert.deepEqual(
      await verdicts(page),
      ["1 true", "2 false What came instead: no WebSocket (status: unknown)"],
      "the status is not known, so any will do",
    );
  });

  test("a page of another origin may not ask the server anything", async () => {
    const server = await start("lesson_08_auth");
    const headers = { origin: "https://example.com" };

    const answers = await Promise.all([
      fetch(`${server.url}/lab.json`, { headers }),
      fetch(`${server.url}/lab/upgrade/ws/chat/rust`, { headers }),
      fetch(`${server.url}/lab/login`, { headers, method: "POST", body: "{}" }),
    ]);
    await server.stop();

    assert.deepEqual(
      answers.map(({ status }) => status),
      [403, 403, 403],
    );
  });
});
