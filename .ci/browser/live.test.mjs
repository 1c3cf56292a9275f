// The table of live.js, without a browser: however lists and events overtake one another,
// what it shows is a state that the server has been in.

import assert from "node:assert/strict";
import { test } from "node:test";

import { ApiError, Table, ask, subscribe } from "../../static/live.js";

const RUNS = 500;
const STEPS = 60;

/** Numbers that look random, and are the same in every run. */
function dice(seed) {
  let state = BigInt(seed);
  return (sides) => {
    state = (state * 6364136223846793005n + 1n) % (1n << 64n);
    return Number((state >> 33n) % BigInt(sides));
  };
}

/** A server of one table: its history, and what it has announced. */
function newServer(roll) {
  const history = [new Map()];
  const announced = [];
  return {
    announced,
    rowsAt: (version) => [...history[version].values()].sort((a, b) => a.id - b.id),
    change() {
      const version = history.length;
      const rows = new Map(history.at(-1));
      const id = [...rows.keys()][roll(6)];
      if (id === undefined || roll(3) === 0) {
        rows.set(version, { id: version, name: `new in ${version}` });
        announced.push({ type: "created", version, data: rows.get(version) });
      } else if (roll(2) === 0) {
        rows.set(id, { id, name: `changed in ${version}` });
        announced.push({ type: "updated", version, data: rows.get(id) });
      } else {
        announced.push({ type: "deleted", version, data: { id } });
        rows.delete(id);
      }
      history.push(rows);
    },
    /** A part of the list, as `GET /users?limit=2` brings it. */
    page(after) {
      const version = history.length - 1;
      const rest = this.rowsAt(version).filter(({ id }) => id > after);
      const rows = rest.slice(0, 2);
      return { version, rows, next: rest.length > 2 ? rows.at(-1).id : null };
    },
  };
}

test("who subscribes and loads in this order never shows a wrong state", () => {
  for (let seed = 0; seed < RUNS; seed += 1) {
    const roll = dice(seed);
    const server = newServer(roll);
    for (let i = roll(8); i > 0; i -= 1) server.change();

    const table = new Table();
    let received = server.announced.length; // It follows from here on.
    let page = null;
    let after = 0;
    let latest = 0;
    let fence = Infinity; // After how many events the answer comes.
    const receive = () => {
      const event = server.announced[received++];
      latest = Math.max(latest, event.version);
      table.receive(event);
    };

    for (let i = 0; i < STEPS; i += 1) {
      const step = roll(4);
      if (step === 0) server.change();
      else if (step === 1 && received < Math.min(server.announced.length, fence)) receive();
      else if (step === 2 && after !== null && !page) page = server.page(after);
      else if (step === 3 && page) {
        table.load(page);
        latest = Math.max(latest, page.version);
        after = page.next;
        page = null;
        if (after === null) fence = server.announced.length;
      }
      if (received === fence) {
        table.settle();
        fence = Infinity;
        after = null;
      }
      if (after === null && fence === Infinity)
        assert.deepEqual(table.rows, server.rowsAt(latest), `run ${seed}, step ${i}`);
    }
  }
});

test("an old event does not undo what was changed in silence", () => {
  const table = new Table();

  table.receive({ type: "updated", version: 7, data: { id: 1, name: "Ben" } });
  table.load({ version: 8, rows: [{ id: 1, name: "Benno" }] });
  table.settle();

  assert.deepEqual(table.rows, [{ id: 1, name: "Benno" }]);
});

test("an answer that comes late does not bring back what is gone", () => {
  const table = new Table();
  table.load({ version: 3, rows: [] });
  table.settle();

  table.receive({ type: "deleted", version: 5, data: { id: 9 } });
  table.receive({ type: "created", version: 4, data: { id: 9, name: "Cem" } });

  assert.deepEqual(table.rows, []);
});

test("a request that nobody answers ends after ten seconds", async (t) => {
  const controller = new AbortController();
  const timeout = t.mock.method(AbortSignal, "timeout", () => controller.signal);
  t.mock.method(globalThis, "fetch", (_, { signal }) => {
    return new Promise((_, reject) => {
      signal?.addEventListener("abort", () => reject(signal.reason));
    });
  });

  const answer = ask("GET", "/users");
  controller.abort(new Error("ten seconds are over"));

  await assert.rejects(answer, /ten seconds are over/);
  assert.deepEqual(timeout.mock.calls[0].arguments, [10_000]);
});

/**
 * Subscribes to channels of a server without a network. `parts` are its answers, one after the
 * other. Gives what it was asked for, the sockets (and the first of them), and a function
 * that says what was drawn last. Time stands still until the test says otherwise.
 */
function subscribed(t, parts, channels = "users") {
  const asked = [];
  const sockets = [];
  let drawn = null;
  t.mock.timers.enable({ apis: ["setTimeout", "Date"] });
  t.mock.method(Math, "random", () => 0.5); // Each wait is half of what it may be.
  t.mock.method(globalThis, "fetch", async (path, { cache }) => {
    assert.equal(cache, "no-store", "a list out of a cache may be older than the events");
    asked.push(path);
    return parts[asked.length - 1];
  });
  const { WebSocket } = globalThis; // Node has one or not, according to its version.
  globalThis.WebSocket = class extends EventTarget {
    static CONNECTING = 0;
    static OPEN = 1;
    readyState = 1;
    sent = [];
    constructor(path) {
      super();
      this.path = path;
      sockets.push(this);
    }
    send(text) {
      this.sent.push(text);
    }
    close(code) {
      this.readyState = 3;
      this.sent.push(`closed with ${code}`);
      this.dispatchEvent(new Event("close"));
    }
    /** The server sends a message. */
    async receive(message) {
      const data = JSON.stringify(message);
      this.dispatchEvent(Object.assign(new Event("message"), { data }));
      await settled();
    }
  };
  const stop = subscribe(channels, (shown) => (drawn = shown));
  t.after(() => {
    stop();
    globalThis.WebSocket = WebSocket;
  });
  return { asked, sockets, socket: sockets[0], stop, shown: () => drawn };
}

/** Lets all promises go on whose time has come. */
async function settled() {
  for (let i = 0; i < 30; i += 1) await Promise.resolve();
}

/** A part of the list. */
const part = (version, rows, next) =>
  reply(200, rows, { "x-version": `${version}`, ...(next && { Link: `<${next}>; rel="next"` }) });

function reply(status, body, headers = {}) {
  return { ok: status < 400, status, headers: new Headers(headers), json: async () => body };
}

const PING = '{"action":"ping"}';
const GREETING = { type: "connection", message: "Connected to channel: users", channel: "users" };

test("it subscribes, loads all parts, asks for a pong, and then it is live", async (t) => {
  const next = "/api/v1/users?after=1&limit=1";
  const { asked, socket, shown } = subscribed(t, [
    part(7, [{ id: 1, name: "Ana" }], next),
    part(8, [{ id: 2, name: "Benno" }]),
  ]);
  assert.equal(socket.path, "/api/v1/ws/users");
  assert.deepEqual(asked, [], "nothing is loaded before the greeting");
  assert.deepEqual([shown().state, shown().rows], ["connecting", []], "the page can say so");

  await socket.receive(GREETING);
  assert.deepEqual(asked, ["/api/v1/users", next], "the server says where the next part is");
  assert.deepEqual(socket.sent, [PING], "no more: this server may answer nothing else");
  const data = { id: 2, name: "Ben" };
  await socket.receive({ type: "created", model: "users", version: 2, data });
  await socket.receive({ type: "deleted", model: "users", version: 9, data: { id: 1 } });
  assert.equal(shown().state, "connecting", "older events may still come");
  await socket.receive({ type: "pong" });

  const { state, rows } = shown();
  assert.deepEqual([state, rows], ["live", [{ id: 2, name: "Benno" }]], "one is old, one new");
  await socket.receive({ type: "updated", model: "users", version: 10, data });
  assert.deepEqual(shown().rows, [data], "from now on at once");
});

test("several channels share one socket, and are live together", async (t) => {
  const parts = [part(3, [{ id: 1, name: "Ana" }]), part(4, [{ id: 2, title: "Tea" }])];
  const { asked, sockets, socket, shown } = subscribed(t, parts, ["users", "posts"]);

  await socket.receive(GREETING);
  assert.deepEqual(socket.sent, ['{"action":"subscribe","channel":"posts"}']);
  assert.deepEqual(asked, [], "posts that are added now would be missed");
  await socket.receive({ type: "subscribed", channel: "posts" });
  assert.deepEqual(asked, ["/api/v1/users", "/api/v1/posts"], "both lists");
  const jam = { id: 5, title: "Jam" };
  await socket.receive({ type: "created", model: "posts", version: 5, data: jam });
  assert.deepEqual([shown().state, shown().send], ["connecting", null], "not yet");
  await socket.receive({ type: "pong" });

  const { state, rows, tables, send } = shown();
  assert.equal(state, "live");
  assert.deepEqual(tables.users, [{ id: 1, name: "Ana" }]);
  assert.deepEqual(tables.posts, [{ id: 2, title: "Tea" }, jam], "the event has waited");
  assert.deepEqual(rows, tables.users, "the first one");
  const news = { type: "deleted", model: "posts", version: 6, data: { id: 2 } };
  await socket.receive(news);
  assert.deepEqual([shown().tables.posts, shown().news], [[jam], news]);
  send({ action: "subscribe", channel: "news" });
  await socket.receive({ type: "subscribed", channel: "news" });
  assert.equal(shown().news.channel, "news", "what the page asks for, the page is told");
  assert.equal(asked.length, 2, "and no list is loaded for it");
  assert.equal(sockets.length, 1, "all over one socket");
});

test("while the list is loaded no heartbeat asks for a pong, and then it does", async (t) => {
  let arrive;
  const late = new Promise((resolve) => (arrive = resolve));
  const { socket } = subscribed(t, [late]);

  socket.dispatchEvent(new Event("open"));
  await socket.receive(GREETING);
  t.mock.timers.tick(60_000);
  assert.deepEqual(socket.sent, [], "its pong would say nothing about the list");
  arrive(part(0, []));
  await settled();
  t.mock.timers.tick(20_000);

  assert.deepEqual(socket.sent, [PING, PING], "one of ours, and one of the heartbeat");
});

test("a server that does not greet within ten seconds is left", async (t) => {
  const { sockets, socket, shown } = subscribed(t, [reply(200, [])]);

  t.mock.timers.tick(9_999);
  assert.deepEqual(socket.sent, [], "it has ten seconds");
  t.mock.timers.tick(1);
  await settled();

  assert.deepEqual(socket.sent, ["closed with undefined"]);
  assert.equal(shown().state, "reconnecting");
  t.mock.timers.tick(500);
  assert.equal(sockets.length, 2, "and we try again");
});

for (const [code, state, sockets] of [
  [1001, "reconnecting", 2],
  [1008, "reconnecting", 2],
  [4011, "reconnecting", 2],
  [4001, "signed out", 1],
]) {
  test(`after ${code} the table is “${state}”`, async (t) => {
    const live = subscribed(t, [reply(200, [])]);

    const close = Object.assign(new Event("close"), { code, reason: "the token has expired" });
    live.socket.dispatchEvent(close);
    await settled();
    t.mock.timers.tick(60_000);

    assert.equal(live.shown().state, state);
    assert.equal(live.sockets.length, sockets, "only a person can sign in");
  });
}

test("who is not signed in finds that out over HTTP, and tries no more", async (t) => {
  const refusal = { message: "Sign in first: a token is missing." };
  const { sockets, socket, shown } = subscribed(t, [reply(401, refusal)]);

  socket.dispatchEvent(Object.assign(new Event("close"), { code: 1006 }));
  await settled();
  t.mock.timers.tick(60_000);

  assert.deepEqual([shown().state, shown().problem], ["signed out", refusal.message]);
  assert.equal(sockets.length, 1, "the next try would end in the same way");
});

test("a long list waits as long as the server says, and is complete", async (t) => {
  const next = "/api/v1/users?after=1&limit=1";
  const refusal = reply(429, { message: "Too many requests." }, { "Retry-After": "7" });
  const parts = [part(1, [{ id: 1 }], next), refusal, part(1, [{ id: 3 }])];
  const { asked, socket, shown } = subscribed(t, parts);

  await socket.receive(GREETING);
  t.mock.timers.tick(6_999);
  await settled();
  assert.equal(asked.length, 2, "the server has said: in seven seconds");
  t.mock.timers.tick(1);
  await settled();
  await socket.receive({ type: "pong" });

  assert.deepEqual(asked.slice(1), [next, next], "it asks for the same part again");
  assert.deepEqual(socket.sent, [PING], "and keeps the connection");
  assert.deepEqual(shown().rows, [{ id: 1 }, { id: 3 }], "the list is complete");
});

test("an answer says no in a sentence, which names the field", async (t) => {
  const body = { message: "this should be one line", field: "name" };
  t.mock.method(globalThis, "fetch", async () => reply(422, body));

  const answer = ask("POST", "/users", { name: "" });

  const expected = { status: 422, field: "name", message: "name: this should be one line" };
  await assert.rejects(answer, (error) => {
    const { status, field, message } = error;
    assert.ok(error instanceof ApiError);
    assert.deepEqual({ status, field, message }, expected);
    return true;
  });
});

test("to end it twice does no harm", (t) => {
  const { socket, stop } = subscribed(t, []);

  stop();
  stop();

  assert.deepEqual(socket.sent, ["closed with 1000"], "the socket is closed once");
});
