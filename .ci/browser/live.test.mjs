// The table of live.js, without a browser: however lists and events overtake one another,
// what it shows is a state that the server has been in.

import assert from "node:assert/strict";
import { test } from "node:test";

import { Table, ask, follow } from "../../static/live.js";

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
    rowsAt: (change) => [...history[change].values()].sort((a, b) => a.id - b.id),
    change() {
      const change = history.length;
      const rows = new Map(history.at(-1));
      const id = [...rows.keys()][roll(6)];
      if (id === undefined || roll(3) === 0) {
        rows.set(change, { id: change, name: `new in ${change}` });
        announced.push({ type: "created", change, data: rows.get(change) });
      } else if (roll(2) === 0) {
        rows.set(id, { id, name: `changed in ${change}` });
        announced.push({ type: "updated", change, data: rows.get(id) });
      } else {
        announced.push({ type: "deleted", change, data: rows.get(id) });
        rows.delete(id);
      }
      history.push(rows);
    },
    /** A part of the list, as `GET /users?limit=2` brings it. */
    page(after) {
      const change = history.length - 1;
      const rest = this.rowsAt(change).filter(({ id }) => id > after);
      const data = rest.slice(0, 2);
      return { change, data, next: rest.length > 2 ? data.at(-1).id : null };
    },
  };
}

test("who follows and loads in this order never shows a wrong state", () => {
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
      latest = Math.max(latest, event.change);
      table.receive(event);
    };

    for (let i = 0; i < STEPS; i += 1) {
      const step = roll(4);
      if (step === 0) server.change();
      else if (step === 1 && received < Math.min(server.announced.length, fence)) receive();
      else if (step === 2 && after !== null && !page) page = server.page(after);
      else if (step === 3 && page) {
        table.load(page);
        latest = Math.max(latest, page.change);
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

  table.receive({ type: "updated", change: 7, data: { id: 1, name: "Ben" } });
  table.load({ change: 8, data: [{ id: 1, name: "Benno" }], next: null });
  table.settle();

  assert.deepEqual(table.rows, [{ id: 1, name: "Benno" }]);
});

test("an answer that comes late does not bring back what is gone", () => {
  const table = new Table();
  table.load({ change: 3, data: [], next: null });
  table.settle();

  table.receive({ type: "deleted", change: 5, data: { id: 9, name: "Cem" } });
  table.receive({ type: "created", change: 4, data: { id: 9, name: "Cem" } });

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

test("to end it twice does no harm", (t) => {
  t.after(() => delete globalThis.WebSocket);
  const codes = [];
  globalThis.WebSocket = class extends EventTarget {
    static CONNECTING = 0;
    readyState = 1;
    close(code) {
      codes.push(code);
    }
  };

  const stop = follow("users", () => {});
  stop();
  stop();

  assert.deepEqual(codes, [1000], "the socket is closed once");
});
