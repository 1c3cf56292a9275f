// A live table: subscribe to the events, load the list, and never show a wrong state.
//
// Copy this file, heartbeat.js and reconnect.js. They need no framework, and work with
// every one.
//
// Between the list and the events there must be no gap. So we subscribe first, and load
// the list then. The events that we receive meanwhile wait. Each change has a version, and the
// list has the version of the last change in it: older events are in the list already.

import { keepAlive } from "./heartbeat.js";
import { reconnect } from "./reconnect.js";

/** The code with which a server closes when we are not, or no longer, signed in. */
const NOT_AUTHENTICATED = 4001;

/** What we send for a pong. */
const PING = { action: "ping" };

/** How long an answer may take. On a lost connection there would never be one. */
const TIMEOUT = 10_000;

/**
 * An answer with an error. `field` is what is wrong in the body, if it is that, and
 * `retryAfter` is when to try again, in seconds, if the server says so.
 */
export class ApiError extends Error {
  constructor(status, { message, field }, retryAfter) {
    super(field ? `${field}: ${message}` : message);
    Object.assign(this, { status, field, retryAfter });
  }
}

/** Asks the API for something, as in `ask("PATCH", "/users/1", { name: "Anna" })`. */
export async function ask(method, path, body) {
  const reply = await request(method, `/api/v1${path}`, body);
  return reply.status === 204 ? null : reply.json();
}

async function request(method, url, body) {
  const reply = await fetch(url, {
    method,
    headers: body && { "Content-Type": "application/json" },
    body: body && JSON.stringify(body),
    cache: "no-store", // An old list out of the browser's cache would lack changes.
    signal: AbortSignal.timeout(TIMEOUT),
  });
  if (reply.ok) return reply;
  throw new ApiError(reply.status, await reply.json(), reply.headers.get("Retry-After"));
}

/** Asks for a part of a list, and waits if the server says that we ask too often. */
async function askForPart(url) {
  for (;;) {
    try {
      const reply = await request("GET", url);
      return {
        version: Number(reply.headers.get("x-version")),
        rows: await reply.json(),
        // Where the next part is, as in `</api/v1/users?after=100>; rel="next"` (RFC 8288).
        next: /<([^>]*)>; *rel="next"/.exec(reply.headers.get("Link"))?.[1],
      };
    } catch (error) {
      if (error.status !== 429) throw error;
      await new Promise((resolve) => setTimeout(resolve, 1000 * (error.retryAfter ?? 1)));
    }
  }
}

/** A copy of a table of the server. */
export class Table {
  #rows = new Map();
  /** The version that we have of each row, those included that are gone. */
  #seen = new Map();
  /** The version of the last part of the list. */
  #loaded = 0;
  #early = [];
  #settled = false;

  /** The rows, in the order of their ids. */
  get rows() {
    return [...this.#rows.values()].sort((a, b) => a.id - b.id);
  }

  /** Adds a part of the list, which is as it was at this version. */
  load({ version, rows }) {
    this.#loaded = version;
    for (const row of rows) {
      this.#rows.set(row.id, row);
      this.#seen.set(row.id, version);
    }
  }

  /** Applies an event, at once or as soon as the list is complete. */
  receive(event) {
    if (this.#settled) this.#apply(event);
    else this.#early.push(event);
  }

  /** The list is complete, and we have every event that is older than it. */
  settle() {
    this.#settled = true;
    for (const event of this.#early.splice(0)) this.#apply(event);
  }

  #apply({ type, version, data }) {
    if (version <= (this.#seen.get(data.id) ?? this.#loaded)) return; // The list has it.

    this.#seen.set(data.id, version);
    if (type === "deleted") this.#rows.delete(data.id); // `data` is its id alone.
    else this.#rows.set(data.id, data);
  }
}

/**
 * Subscribes to a channel, or to several over one socket, and calls `draw`, now and whenever
 * something has changed, with `{ state, rows, tables, news, problem, send }`.
 *
 * The state is "connecting", "live", "reconnecting" (the rows are those that we had) or
 * "signed out" (we do not try again). `tables` has the rows of each channel, by its name,
 * and `rows` are those of the first one. `news` is the message or the `close` event that has
 * changed something, or null, and `problem` is a sentence about why there is no connection.
 * `send` sends a request over the socket, and is null unless we are live.
 *
 * Returns a function that ends it. `draw` is not called any more then.
 */
export function subscribe(channels, draw) {
  const names = [channels].flat();
  const [first, ...others] = names;
  const each = (make) => Object.fromEntries(names.map((name) => [name, make(name)]));
  let socket;
  let timer; // Should nobody greet us.
  let shown = { state: "connecting", news: null, problem: "", send: null };

  const show = (change) => {
    shown = { ...shown, news: null, problem: "", ...change };
    draw(shown);
  };
  const showRows = (tables, change) => show({ ...change, tables, rows: tables[first] });

  // An old table looks like a new one, so we try again whatever the code says. But who is
  // not signed in has to sign in first.
  const tries = reconnect({
    connect,
    onWait() {},
    onGiveUp() {},
    final: new Set([NOT_AUTHENTICATED]),
  });

  function connect() {
    const tables = each(() => new Table());
    const rows = () => each((name) => tables[name].rows);
    const mine = new WebSocket(`/api/v1/ws/${first}`);
    const isOver = () => mine !== socket;
    const send = (request) => mine.send(JSON.stringify(request));
    let pending = names.length; // So many subscriptions are not confirmed yet.
    socket = mine;
    tries.follow(mine);
    timer = setTimeout(() => mine.close(), TIMEOUT);

    mine.addEventListener("message", ({ data }) => {
      if (isOver()) return;
      const message = JSON.parse(data);
      switch (message.type) {
        case "connection":
          for (const channel of others) send({ action: "subscribe", channel });
          subscribed();
          break;
        case "subscribed":
          if (pending > 0) subscribed();
          else show({ news: message });
          break;
        case "pong": // The first one comes after all events that are older than the lists.
          if (shown.state === "live") break;
          for (const table of Object.values(tables)) table.settle();
          showRows(rows(), { state: "live", send });
          break;
        case "created":
        case "updated":
        case "deleted":
          tables[message.model]?.receive(message);
          if (shown.state === "live") showRows(rows(), { news: message });
          break;
        default:
          show({ news: message });
      }
    });

    const close = (event) => {
      if (!isOver()) lost(event);
    };
    mine.addEventListener("close", close, { once: true });

    /** One more is confirmed. After the last one we miss nothing. */
    function subscribed() {
      pending -= 1;
      if (pending > 0) return;

      clearTimeout(timer);
      load(tables, isOver).then(
        () => isOver() || settle(),
        () => mine.close(), // And so we try again.
      );
    }

    /** Asks for the pong that settles the tables. */
    function settle() {
      send(PING);
      // Not before: a pong that the heartbeat had asked for could be older than a list.
      keepAlive(mine, undefined, PING);
    }
  }

  async function load(tables, isOver) {
    for (const [channel, table] of Object.entries(tables))
      for (let url = `/api/v1/${channel}`; url && !isOver(); ) {
        const part = await askForPart(url);
        table.load(part);
        url = part.next;
      }
  }

  /** Says why there is no connection. `tries` has planned the next one already. */
  async function lost(event) {
    const mine = socket;
    clearTimeout(timer);
    show({ state: "reconnecting", news: event, send: null });

    // A page cannot read why an upgrade was rejected. It can ask for the list.
    const answer = ask("GET", `/${first}?limit=1`);
    const error = await answer.then(() => null, (reason) => reason);
    if (mine !== socket) return;
    if (error?.status === 401) return signedOut(error.message);
    if (event.code === NOT_AUTHENTICATED) return signedOut(`Sign in again: ${event.reason}.`);
    if (error && !error.status)
      show({ state: "reconnecting", news: event, problem: "No server answers." });
  }

  function signedOut(problem) {
    tries.stop();
    show({ state: "signed out", problem });
  }

  showRows(each(() => []));
  connect();

  return () => {
    if (!socket) return; // It has ended already.

    clearTimeout(timer);
    const last = socket;
    socket = null; // Whatever it still receives comes too late.
    tries.stop();
    if (last.readyState === WebSocket.OPEN) last.close(1000);
  };
}
