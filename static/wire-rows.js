// The rows of the wire view: what X-ray or a recorder reports, in words for people.
//
// Nothing here touches a document. A row is
//
//   { t, connection, client, from, kind, bytes, text, data, isCut, code, reason, meaning,
//     isCopy, isFault, isBegin, isEnd, raw, group, message, about }
//
// - `t` is in milliseconds, `from` is "client" or "server", `raw` is the row of X-ray.
// - `kind` is "tcp", "request", "response", "text", "binary", "continuation", "ping",
//   "pong", "close", "reserved", "gap" or "note".
// - `group` is what filters ask for: a continuation belongs to the kind of its message.
// - `isCopy` marks a broadcast that another client got a moment before.
// - `about` is what the rows of one connection share: client, request, response, close.

import { meaning } from "./close-codes.js";

/** What RFC 6455 calls the frames with each opcode. All others are reserved. */
export const OPCODES = {
  0: "continuation",
  1: "text",
  2: "binary",
  8: "close",
  9: "ping",
  10: "pong",
};

/** How long after the first copy of a broadcast the last one may come, in milliseconds. */
const BROADCAST = 100;

/** How many texts of broadcasts we remember. */
const BROADCASTS = 200;

/** What a browser sends when a page goes. Scripts only know it from servers that stop. */
const GOING_AWAY = 1001;
const CLOSED_TAB = "Going away: somebody has closed the tab, or left the page.";

/** What X-ray puts in the place of a secret. */
export const BLANK = "●●●";

/** The words that stand for a secret in a query, as X-ray knows them. */
const SECRET = new RegExp(
  "([?&][^=&]*(?:token|ticket|password|passwd|pwd|secret|key|code|auth|session|jwt|sig|" +
    "credential)[^=&]*=)[^&]*",
  "gi",
);

/** Turns what happens on connections into rows. It remembers whose connection is which. */
export class Rows {
  #connections = new Map();
  #names = new Map(); // Which numbers are taken, of the open connections with a name.
  #texts = new Map(); // When the server sent a text for the first time, and to whom.
  #pattern;
  #parts;

  /**
   * `pattern` is where clients connect, as the page says it: /ws/chat/rust/{name}. Paths
   * without {name} have no name in them, and with {token} clients have signed in.
   *
   * `parts` are the paths of more sockets, if parts of the page have their own. The last word
   * of each tells it from the others: “Ana tasks”.
   */
  constructor(pattern = "", parts = []) {
    this.#pattern = pattern;
    this.#parts = parts;
  }

  /** The row for a row of X-ray. */
  fromXray(raw) {
    if (raw.kind === "gap")
      return { t: raw.t, kind: "gap", text: leftOut(raw.rows), raw };

    const about = this.#about(raw);
    const row = { t: raw.t, connection: raw.connection, from: raw.from, about, raw };
    Object.assign(row, this[`_${raw.kind}`](raw, about, row));
    row.group ??= row.kind;
    return withClient(row);
  }

  /** The row for what a script saw: an `event` of a socket, and its details. */
  fromScript({ t, connection, event, ...details }) {
    const about = this.#about({ connection, what: event === "connecting" && "open" });
    const row = { t, connection, about };
    Object.assign(row, this[`_${event}`](details, about, row));
    row.group ??= row.kind;
    return withClient(row);
  }

  #about({ connection, what, kind }) {
    // A number that comes again is another connection: the server has been restarted.
    if (what === "open" || !this.#connections.has(connection)) {
      const about = { messages: {}, connection };
      this.#connections.set(connection, about);
      // Of others, the beginning came before our time, and so nothing says who they are.
      if (what !== "open" && kind !== "request") this.#name(about, "", "");
    }
    return this.#connections.get(connection);
  }

  /** Gives a connection the name of its client. Two at a time are told apart. */
  #name(about, label, path) {
    const base = capital(label || nameIn(path, this.#pattern) || "client");
    const part = this.#parts.includes(path) ? ` ${path.split("/").at(-1)}` : "";
    const name = base + part;
    if (!this.#names.has(name)) this.#names.set(name, new Set());
    const taken = this.#names.get(name);
    let number = 1;
    while (taken.has(number)) number += 1;
    taken.add(number);
    about.base = base;
    about.name = name;
    about.number = number;
    about.client = number > 1 ? `${name} ${number}` : name;
  }

  #end(about) {
    if (about.isOver) return;
    about.isOver = true;
    this.#names.get(about.name)?.delete(about.number);
    this.#connections.delete(about.connection);
  }

  /** Whether a cookie may say who this is, on a page whose clients sign in. */
  #mayHaveCookie(head) {
    return this.#pattern.includes("{token}") && (!head || head.some(isCookie));
  }

  // What X-ray reports.

  _tcp(raw, about) {
    const { what } = raw;
    if (what === "open")
      return { kind: "tcp", text: `connects from ${raw.peer}`, isBegin: true };
    if (what === "FIN") return { kind: "tcp", text: "FIN: no more will come from here" };
    if (what === "RST")
      return { kind: "tcp", text: "RST: the connection was cut", isFault: true };
    this.#end(about);
    const parts = [
      `gone after ${duration(raw.lasted)}`,
      `${number(raw.received)} bytes in, ${number(raw.sent)} out`,
    ];
    if (raw.first) parts.push(`the ${raw.first} hung up first`);
    return { kind: "tcp", text: parts.join(" · "), isEnd: true };
  }

  _request(raw, about, row) {
    about.request = row;
    about.path = raw.path;
    this.#name(about, raw.label, raw.path);
    about.hasCookie = this.#mayHaveCookie(raw.head);
    return { kind: "request", group: "HTTP", bytes: raw.bytes, text: raw.head[0] };
  }

  _response(raw, about, row) {
    about.response = row;
    const isFault = raw.status !== 101;
    const text = [raw.head[0], raw.body].filter(Boolean).join(" · ");
    return { kind: "response", group: "HTTP", bytes: raw.bytes, text, isFault };
  }

  _frame(raw, about, row) {
    const { opcode, fin, len } = raw;
    const kind = OPCODES[opcode] ?? "reserved";
    const data = bytesOf(raw.data);
    const isCut = data.length < len;
    const fields = { kind, bytes: len, isCut };
    // Only who asks gets the bytes: most rows are never opened.
    Object.defineProperty(row, "data", {
      get: () => bytesOf(raw.data),
      enumerable: true,
    });
    if (raw.got !== undefined) fields.isFault = true;

    if (kind === "close") return { ...fields, ...this.#close(about, raw.from, data) };
    if (kind === "reserved")
      return { ...fields, text: `opcode ${opcode}, which is reserved`, isFault: true };
    if (kind === "ping" || kind === "pong")
      return { ...fields, text: data.length ? (textOf(data) ?? hex(data)) : "" };

    // The frames of a message, in order: only the first one says of which kind it is.
    const open = about.messages;
    if (kind !== "continuation") open[raw.from] = { kind, frames: [] };
    const message = (open[raw.from] ??= { kind: "binary", frames: [] });
    message.frames.push(row);
    if (fin) delete open[raw.from];
    const isText = message.kind === "text";
    const isWhole = fin && message.frames.length === 1 && !isCut;
    const text = isText ? textOf(data, !isWhole) : undefined;
    if (isText && text === undefined) fields.isFault = true;
    return {
      ...fields,
      group: message.kind,
      message,
      text: text ?? hex(data),
      isCopy: isText && raw.from === "server" && this.#isCopy(text, row),
    };
  }

  // What a script sees.

  _connecting({ path, label }, about, row) {
    about.path = path.replace(SECRET, `$1${BLANK}`);
    about.request = row;
    this.#name(about, label, about.path);
    about.hasCookie = Boolean(label) && this.#mayHaveCookie();
    const text = `GET ${about.path}`;
    return { from: "client", kind: "request", group: "HTTP", text, isBegin: true };
  }

  _opened(_, about, row) {
    about.response = row;
    about.isOpen = true;
    return {
      from: "server",
      kind: "response",
      group: "HTTP",
      text: "101 Switching Protocols",
    };
  }

  _sent(event) {
    return { from: "client", ...payload(event) };
  }

  _received(event, _about, row) {
    const fields = payload(event);
    const isCopy = fields.kind === "text" && this.#isCopy(fields.text, row);
    return { from: "server", ...fields, isCopy };
  }

  _closing({ code, reason }, about) {
    return { from: "client", ...this.#closed(about, "client", code ?? 1005, reason) };
  }

  _closed({ code, reason, isClean }, about) {
    this.#end(about);
    if (isClean)
      return {
        from: "server",
        isEnd: true,
        ...this.#closed(about, "server", code, reason),
      };
    const text = about.isOpen
      ? "the connection was lost: no Close frame came"
      : "no WebSocket: a browser hides the reason from scripts";
    const kind = about.isOpen ? "tcp" : "response";
    const group = about.isOpen ? "tcp" : "HTTP";
    return { from: "server", isEnd: true, kind, group, text, isFault: true };
  }

  #close(about, from, data) {
    if (data.length < 2) return this.#closed(about, from, 1005, "");
    const code = data[0] * 256 + data[1];
    return this.#closed(about, from, code, textOf(data.slice(2), true));
  }

  #closed(about, from, code, reason = "") {
    // The answer to a Close repeats its code. What is wrong, the first one says.
    const isFirst = !about.close;
    about.close ??= { from, code };
    const isBad = from === "server" ? code > 1001 : code > 1001 && code < 3000;
    const isFault = isFirst && isBad && code !== 1005;
    const words = reason && ` · “${reason}”`;
    const text = `${code} ${shortMeaning(code)}${words}`;
    const isTab = code === GOING_AWAY && about.close.from === "client";
    const sentence = isTab ? CLOSED_TAB : meaning(code);
    return { kind: "close", code, reason, meaning: sentence, text, isFault };
  }

  /** A copy is for another client: one that gets a text twice is told it twice. */
  #isCopy(text, { t, connection }) {
    const first = this.#texts.get(text);
    if (first && t - first.t < BROADCAST && connection !== first.connection) return true;
    if (this.#texts.size >= BROADCASTS) this.#texts.clear();
    this.#texts.set(text, { t, connection });
    return false;
  }
}

/** Two rows of a kind that is no message: what a person should know at this place. */
export function note(t, text) {
  return { t, kind: "note", group: "note", text };
}

/** The client is known only when the request has come, a moment after the connection. */
function withClient(row) {
  return Object.defineProperty(row, "client", {
    get: () => row.about.client,
    enumerable: true,
  });
}

/** A cookie other than X-ray's own: “Cookie: session=●●●; xray=●●●”. */
const isCookie = (line) => /^cookie:(?:.*;)?\s*(?!xray=)[^=;\s]+=/i.test(line);

/** The name in a path such as /ws/chat/rust/ana, if the page's has {name} in that place. */
function nameIn(path, pattern) {
  const parts = path.split("?")[0].split("/");
  const places = pattern.split("?")[0].split("/");
  if (parts.length !== places.length) return undefined;
  const decoded = decode(parts[places.indexOf("{name}")] ?? "");
  return /^\p{Alphabetic}[\p{Alphabetic}\p{M}\p{N}_-]*$/u.test(decoded)
    ? decoded
    : undefined;
}

function decode(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text; // A path may hold a % that means nothing.
  }
}

function payload({ data }) {
  if (typeof data === "string")
    return { kind: "text", bytes: new TextEncoder().encode(data).length, text: data };
  const bytes = new Uint8Array(data);
  return { kind: "binary", bytes: bytes.length, data: bytes, text: hex(bytes) };
}

/** What a code is called, without the sentence: "Normal closure". */
export function shortMeaning(code) {
  const words = meaning(code);
  if (words.includes(":")) return words.split(":")[0].toLowerCase();
  return code >= 4000 ? "a code of the application" : "an unknown code";
}

const leftOut = (rows) => `${number(rows)} rows are left out: they came too fast`;

export const capital = (name) => name.charAt(0).toUpperCase() + name.slice(1);

/** The text of bytes, or nothing if they are not UTF-8. `isPart`: it may be cut anywhere. */
export function textOf(bytes, isPart = false) {
  try {
    return new TextDecoder("utf-8", { fatal: !isPart, ignoreBOM: true }).decode(bytes);
  } catch {
    return undefined;
  }
}

export function bytesOf(hex = "") {
  const bytes = new Uint8Array(hex.length / 2);
  for (let i = 0; i < bytes.length; i += 1)
    bytes[i] = parseInt(hex.slice(2 * i, 2 * i + 2), 16);
  return bytes;
}

/** Each byte as two hexadecimal digits. */
export const pairs = (bytes) =>
  [...bytes].map((byte) => byte.toString(16).padStart(2, "0"));

/** Bytes as people read them: 00 7f ff. */
export function hex(bytes, most = 64) {
  const shown = pairs(bytes.slice(0, most));
  if (bytes.length > most) shown.push("…");
  return shown.join(" ");
}

const NUMBER = new Intl.NumberFormat("en");

/** A number as people read it: 70,000. */
export const number = (value) => NUMBER.format(value);

/** A time in milliseconds as people say it. */
export function duration(ms) {
  if (ms >= 10_000) return `${number(Math.round(ms / 1000))} s`;
  if (ms >= 1_000) return `${(ms / 1000).toFixed(1)} s`;
  return `${ms.toFixed(ms < 1 ? 2 : ms < 10 ? 1 : 0)} ms`;
}
