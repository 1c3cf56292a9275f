// The client's half of the delivery, without a browser: whatever is lost on the way, or comes
// twice, each message arrives once, and each chat is shown once.

import assert from "node:assert/strict";
import { beforeEach, describe, test } from "node:test";

import { keepDelivery } from "../../static/delivery.js";

const KEY = 'delivery ["ana","rust"]';

/** The storage of a window. `limit` is how much fits into it. */
class Storage {
  items = new Map();
  limit = Infinity;

  getItem(key) {
    return this.items.get(key) ?? null;
  }

  setItem(key, text) {
    if (text.length > this.limit) throw new DOMException("It is full.", "QuotaExceededError");
    this.items.set(key, text);
  }
}

beforeEach(() => {
  globalThis.sessionStorage = new Storage();
});

/** Ana's page, as it is after it was loaded, and what it has drawn. */
function load() {
  const drawn = { own: [], chats: [], gaps: [], logs: 0, warnings: 0 };
  const delivery = keepDelivery(KEY, "ana", {
    onOwn: ({ content, state, seq, why }) =>
      drawn.own.push([content, state, seq ?? why].filter((part) => part !== undefined).join(" ")),
    onChat: ({ seq }) => drawn.chats.push(seq),
    onGap: (seen, next) => drawn.gaps.push([seen, next]),
    onNewLog: () => (drawn.logs += 1),
    onUnkept: () => (drawn.warnings += 1),
  });
  return { ...delivery, drawn };
}

/** A socket that keeps what is sent on it. */
function open() {
  const sent = [];
  return {
    sent,
    contents: () => sent.map(({ content }) => content),
    send: (text) => sent.push(JSON.parse(text)),
  };
}

/** Connects a page, and has it welcomed. */
function connect(page, { log = "one", seq = 0 } = {}) {
  const socket = open();
  page.receive({ type: "welcome", log, seq }, socket);
  return socket;
}

const chat = (seq, { from = "ben", id } = {}) => ({
  type: "chat",
  room: "rust",
  from,
  id,
  seq,
  content: `chat ${seq}`,
});

const resumes = (page) => Object.fromEntries(new URLSearchParams(page.query()));

describe("what we write", () => {
  test("it is sent at once, with an id, when we are connected", () => {
    const page = load();
    const socket = connect(page);

    page.write("hello");

    const [{ id, ...message }] = socket.sent;
    assert.deepEqual(message, { type: "chat", content: "hello" }, "this is a chat");
    assert.match(id, /^[\w-]{1,64}$/, "the server accepts this id");
    assert.deepEqual(page.drawn.own, ["hello waiting", "hello sent"], "the page shows both");
  });

  test("each message has an id of its own", () => {
    const page = load();
    const socket = connect(page);

    for (let i = 0; i < 50; i += 1) page.write("hello");

    const ids = new Set(socket.sent.map(({ id }) => id));
    assert.equal(ids.size, 50, "the server takes two messages with one id for the same");
  });

  test("what is written before the welcome is sent after it, in its order", () => {
    const page = load();
    ["one", "two", "three"].forEach((text) => page.write(text));

    const socket = connect(page);
    page.write("four");

    const order = ["one", "two", "three", "four"];
    assert.deepEqual(socket.contents(), order, "others must see them as they were written");
  });

  test("nothing is sent on a connection that has ended", () => {
    const page = load();
    const socket = connect(page);

    page.disconnected();
    page.write("hello");

    assert.deepEqual(socket.sent, [], "the browser would drop it without a word");
    assert.deepEqual(page.drawn.own, ["hello waiting"], "so it waits");
  });

  test("what is not acknowledged is sent again, in its order and with its id", () => {
    const page = load();
    const first = connect(page);
    ["one", "two", "three"].forEach((text) => page.write(text));
    page.receive({ type: "ack", id: first.sent[1].id, seq: 1 });

    page.disconnected();
    page.write("four");
    const second = connect(page);

    assert.deepEqual(second.contents(), ["one", "three", "four"], "but not what is");
    assert.equal(second.sent[0].id, first.sent[0].id, "the server knows this message by its id");
    assert.equal(second.sent[1].id, first.sent[2].id, "and this one");
    page.disconnected();
    const third = connect(page);
    assert.deepEqual(third.contents(), second.contents(), "and again, until there is an answer");
  });

  test("when the connection ends, what was sent waits again", () => {
    const page = load();
    connect(page);
    page.write("hello");

    page.disconnected();

    assert.equal(page.drawn.own.at(-1), "hello waiting", "nobody knows whether it arrived");
  });

  test("an ack comes before the chat, and says the number", () => {
    const page = load();
    const { sent } = connect(page);
    page.write("hello");

    page.receive({ type: "ack", id: sent[0].id, seq: 12 });
    page.receive(chat(12, { from: "ana", id: sent[0].id }));

    assert.equal(page.drawn.own.at(-1), "hello acknowledged 12", "the page shows its number");
    assert.equal(page.drawn.own.length, 3, "waiting, sent, acknowledged: once each");
    assert.deepEqual(page.drawn.chats, [12], "and the chat is drawn");
  });

  test("an ack is lost, but the chat comes back with our id: that says as much", () => {
    const page = load();
    const first = connect(page);
    page.write("hello");
    page.disconnected();

    const { id } = first.sent[0];
    const second = connect(page, { seq: 1 });
    page.receive(chat(1, { from: "ana", id }));
    page.disconnected();
    const third = connect(page, { seq: 1 });

    assert.equal(second.sent.length, 1, "we could not know it yet");
    assert.equal(page.drawn.own.at(-1), "hello acknowledged 1", "it is in the log");
    assert.deepEqual(third.sent, [], "so it is not sent again");
    const before = page.drawn.own.length;
    page.receive({ type: "ack", id, seq: 1 });
    assert.equal(page.drawn.own.length, before, "a late ack is no news");
  });

  test("a chat of somebody else with the id of ours acknowledges nothing", () => {
    const page = load();
    const { sent } = connect(page);
    page.write("hello");

    page.receive(chat(1, { from: "ben", id: sent[0].id }));
    page.disconnected();

    assert.deepEqual(connect(page).contents(), ["hello"], "nobody has acknowledged it");
  });

  test("what is rejected fails, with the server's sentence, and is not sent again", () => {
    const page = load();
    const first = connect(page);
    [" ", "hello"].forEach((text) => page.write(text));

    page.receive({ type: "rejected", id: first.sent[0].id, message: "content is empty" });
    page.disconnected();

    assert.ok(page.drawn.own.includes("  failed content is empty"), `${page.drawn.own}`);
    assert.deepEqual(connect(page).contents(), ["hello"], "the others are");
    assert.deepEqual(load().queue().length, 1, "and a reload does not bring it back");
  });

  test("an answer to a message that we do not know is no news", () => {
    const page = load();
    connect(page);

    page.receive({ type: "ack", id: "other", seq: 7 });
    page.receive({ type: "rejected", id: "other", message: "no" });

    assert.deepEqual(page.drawn.own, [], "none of ours has changed");
  });

  test("a hundred messages may wait, and the next one is told why not", () => {
    const page = load();
    for (let i = 0; i < 100; i += 1) assert.equal(page.write(`${i}`), undefined, `message ${i}`);

    const refusal = page.write("one more");

    const sentence = "100 messages wait already. Yours is still in the field.";
    assert.equal(refusal, sentence, "a queue without a limit fills the storage");
    assert.equal(connect(page).sent.length, 100, "and it is not in the queue");
  });

  test("a message that the server would not even read does not get into the queue", () => {
    const page = load();
    const { sent } = connect(page);

    const refusal = page.write("🐢".repeat(2001));

    const sentence = "A message has at most 2000 characters. This one has 2001.";
    assert.equal(refusal, sentence, "the server counts characters, too");
    assert.equal(page.write("🐢".repeat(2000)), undefined, "one less, and it fits");
    assert.equal(sent.length, 1, "a message that is never answered would be sent for ever");
  });

  test("half of a character, which the server could not read, is replaced", () => {
    const page = load();
    const { contents } = connect(page);

    assert.equal(page.write("a turtle: \ud83d"), undefined, "an input field may contain it");

    const why = "the server could not even read the id, and the page would send it for ever";
    assert.deepEqual(contents(), ["a turtle: \ufffd"], why);
  });
});

describe("what we have seen", () => {
  test("who has seen nothing asks for everything", () => {
    assert.deepEqual(resumes(load()), { resume: "0" }, "there is no log to name");
  });

  test("who comes back says the last number, and of which log", () => {
    const page = load();
    connect(page, { log: "a & b", seq: 9 });
    [7, 8, 9].forEach((seq) => page.receive(chat(seq)));

    const position = { resume: "9", log: "a & b" };
    assert.deepEqual(resumes(page), position, "a number means nothing in another log");
  });

  test("a number that was seen before is not drawn again", () => {
    const page = load();
    connect(page);

    [1, 2, 2, 1, 3].forEach((seq) => page.receive(chat(seq)));

    assert.deepEqual(page.drawn.chats, [1, 2, 3], "each number once");
  });

  test("holes between the numbers do not matter", () => {
    const page = load();
    connect(page);

    [3, 10, 11, 40].forEach((seq) => page.receive(chat(seq)));

    assert.deepEqual(page.drawn.chats, [3, 10, 11, 40], "each has a greater number");
    assert.equal(resumes(page).resume, "40", "the greatest one counts");
  });

  test("neither an ack nor a welcome says what we have seen", () => {
    const page = load();
    const { sent } = connect(page, { seq: 12 });
    page.receive(chat(10));
    page.write("hello");

    page.receive({ type: "ack", id: sent[0].id, seq: 13 });

    assert.equal(resumes(page).resume, "10", "Ben's 11 and 12 may still be on the way");
    [11, 12, 13].forEach((seq) => page.receive(chat(seq)));
    assert.deepEqual(page.drawn.chats, [10, 11, 12, 13], "here they come");
  });

  test("a gap is told, and what follows it is drawn", () => {
    const page = load();
    connect(page);
    page.receive(chat(57));

    page.receive({ type: "gap", next: 100 });
    assert.equal(resumes(page).resume, "99", "there is nothing to ask for before 100");
    page.receive(chat(100));

    assert.deepEqual(page.drawn.gaps, [[57, 100]], "the page says what is missing");
    assert.deepEqual(page.drawn.chats, [57, 100], "and goes on");
  });

  test("in another log the numbers begin anew, and what waits is sent there", () => {
    const page = load();
    connect(page, { log: "one", seq: 3 });
    [1, 2, 3].forEach((seq) => page.receive(chat(seq)));
    page.disconnected();
    page.write("hello");

    const { sent } = connect(page, { log: "two", seq: 1 });
    assert.equal(resumes(page).resume, "0", "of this log we have seen nothing");
    page.receive({ type: "gap", next: 1 });
    page.receive(chat(1));

    assert.equal(page.drawn.logs, 1, "the page says so");
    assert.deepEqual(page.drawn.gaps, [], "once");
    assert.deepEqual(page.drawn.chats, [1, 2, 3, 1], "this 1 is another chat");
    assert.deepEqual(resumes(page), { resume: "1", log: "two" }, "this is where we are now");
    assert.equal(sent.length, 1, "nobody has acknowledged it, in either log");
  });

  test("a log that has fewer numbers than we know was set back, so they begin anew", () => {
    const page = load();
    connect(page, { seq: 3 });
    [1, 2, 3].forEach((seq) => page.receive(chat(seq)));
    page.disconnected();

    connect(page, { seq: 2 });
    page.receive({ type: "gap", next: 1 });
    [1, 2, 3].forEach((seq) => page.receive(chat(seq)));

    assert.equal(page.drawn.logs, 1, "the page says so");
    assert.deepEqual(page.drawn.chats, [1, 2, 3, 1, 2, 3], "this 3 is another chat");
  });

  test("a first welcome is no news, and neither is the same log again", () => {
    const page = load();

    connect(page);
    page.disconnected();
    connect(page);

    assert.equal(page.drawn.logs, 0, "there is nothing to say");
  });

  test("what is not about delivery is left to the page", () => {
    const page = load();
    const { receive } = page;

    const types = ["user_joined", "user_left", "error", "pong"];

    const taken = types.filter((type) => receive({ type }));
    assert.deepEqual(taken, [], "the page draws them");
    assert.equal(receive({ type: "welcome", log: "one", seq: 0 }, open()), true, "this is ours");
    assert.equal(receive(chat(1)), true, "and so is this");
  });
});

describe("after a reload", () => {
  test("what waits is still there, in its order and with its ids", () => {
    const page = load();
    const before = connect(page);
    page.write("one");
    page.disconnected();
    page.write("two");

    const loaded = load();
    const waiting = loaded.queue().map(({ content, state }) => `${content} ${state}`);
    const after = connect(loaded);

    assert.deepEqual(waiting, ["one waiting", "two waiting"], "the page draws this");
    assert.deepEqual(after.contents(), ["one", "two"], "and the server gets it");
    assert.equal(after.sent[0].id, before.sent[0].id, "one message, however often it is sent");
  });

  test("a message is kept before it is sent", () => {
    const page = load();
    let kept;
    const send = () => (kept = load().queue().length);
    page.receive({ type: "welcome", log: "one", seq: 0 }, { send });

    page.write("hello");

    assert.equal(kept, 1, "the window may be closed at any moment");
  });

  test("the page asks for the last 50 numbers again, as it is empty", () => {
    const page = load();
    connect(page, { seq: 120 });
    page.receive(chat(120));

    const loaded = load();
    assert.deepEqual(resumes(loaded), { resume: "70", log: "one" }, "120, but for 50");
    connect(loaded, { seq: 120 });
    [71, 120].forEach((seq) => loaded.receive(chat(seq)));

    assert.deepEqual(loaded.drawn.chats, [71, 120], "and draws them");
  });

  test("a log that was set back by a few numbers is recognised, too", () => {
    const page = load();
    connect(page, { seq: 120 });
    page.receive(chat(120));

    const loaded = load();
    connect(loaded, { seq: 100 });
    [71, 100, 101, 120].forEach((seq) => loaded.receive(chat(seq)));

    assert.equal(loaded.drawn.logs, 1, "these are other chats than before the reload");
    assert.deepEqual(loaded.drawn.chats, [71, 100, 101, 120], "and the page draws them");
  });

  test("a page that is loaded twice while it catches up knows its newest number", () => {
    const page = load();
    connect(page, { seq: 120 });
    page.receive(chat(120));
    const loaded = load();
    connect(loaded, { seq: 120 });
    loaded.receive(chat(71));

    assert.equal(resumes(load()).resume, "70", "50 before 120, and not before 71");
  });

  test("nobody has seen less than nothing", () => {
    const page = load();
    connect(page, { seq: 3 });
    page.receive(chat(3));

    assert.equal(resumes(load()).resume, "0", "the server refuses a negative number");
  });

  for (const [what, text] of [
    ["no JSON", "{"],
    ["null", "null"],
    ["a list", "[1]"],
    ["numbers that are none", '{"log":"one","newest":"9","queue":{}}'],
    ["a negative number", '{"log":"one","newest":-9,"queue":[]}'],
    ["no name of the log", '{"newest":9,"queue":[]}'],
    ["messages that are none", '{"queue":[null,1,{"id":"a b","content":"x"},{"id":"c"}]}'],
    ["messages without a proper id", '{"queue":[{"content":"x"},{"id":5,"content":"y"}]}'],
  ]) {
    test(`a storage with ${what} is as good as an empty one`, () => {
      sessionStorage.setItem(KEY, text);

      const page = load();
      page.write("hello");

      assert.deepEqual(resumes(page), { resume: "0" }, "the server refuses what is no number");
      assert.deepEqual(connect(page).contents(), ["hello"], "and answers no message without an id");
    });
  }

  test("a position that makes no sense takes no message with it", () => {
    const queue = '[{"id":"a","content":"hello"}]';
    sessionStorage.setItem(KEY, `{"log":7,"newest":null,"queue":${queue}}`);

    assert.deepEqual(connect(load()).contents(), ["hello"], "somebody has written it");
  });

  test("a storage that is full is told once, and the rest works on", () => {
    const page = load();
    page.write("one");
    assert.equal(page.drawn.warnings, 0, "it fits");
    sessionStorage.limit = 10;

    page.write("two");
    page.write("three");

    assert.equal(page.drawn.warnings, 1, "the page must say that a reload loses what waits");
    assert.deepEqual(connect(page).contents(), ["one", "two", "three"], "all are sent");
    sessionStorage.limit = Infinity;
    page.write("four");
    assert.equal(load().queue().length, 4, "there is room again, and all four are kept");
  });

  test("a browser that lends us no storage is no reason to lose anything before the reload", () => {
    Object.defineProperty(globalThis, "sessionStorage", {
      configurable: true,
      get() {
        throw new DOMException("Access is denied.", "SecurityError");
      },
    });

    const page = load();
    page.write("hello");

    assert.equal(page.drawn.warnings, 1, "the page must say so");
    assert.deepEqual(connect(page).contents(), ["hello"], "and sends it all the same");
    Object.defineProperty(globalThis, "sessionStorage", { configurable: true, writable: true });
  });
});
