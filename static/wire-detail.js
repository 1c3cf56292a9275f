// The panel of the wire view: everything that is known about one row.

import { make } from "./elements.js";
import {
  OPCODES,
  bytesOf,
  duration,
  hex,
  number,
  pairs,
  shortMeaning,
} from "./wire-rows.js";

/** What RFC 6455 adds to a key before it is hashed. */
const GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/** How many bytes of a payload the table has: what fits beside one another. */
const SHOWN = 16;

/** How many entries of a list or an object we draw, and how long a text may be. */
const ENTRIES = 200;
const LETTERS = 20_000;

/** How deep we draw. What is deeper stays on one line. */
const DEPTH = 40;

const TITLES = {
  tcp: "The TCP connection",
  request: "The upgrade request",
  response: "The answer to the upgrade",
  text: "A text frame",
  binary: "A binary frame",
  continuation: "A continuation frame",
  ping: "A ping",
  pong: "A pong",
  close: "A Close frame",
  reserved: "A frame with a reserved opcode",
  gap: "Rows that are left out",
  note: "A note",
};

/** The header lines that make a request an upgrade, and an answer one that accepts it. */
const UPGRADE =
  /^(GET |HTTP\/|upgrade:|connection:|sec-websocket-(key|version|accept|protocol):)/i;

/** The elements for a row: a heading, and a section for each thing there is to say. */
export function detail(row) {
  const parts = [make("h2", {}, TITLES[row.kind]), make("p", {}, subtitle(row))];
  if (row.kind === "request" && row.raw) parts.push(...request(row));
  else if (row.kind === "response" && row.raw) parts.push(...response(row));
  else if (row.kind === "tcp") parts.push(tcp(row));
  else parts.push(...message(row));
  if (!row.raw && row.about) parts.push(make("p", {}, NO_XRAY));
  return parts;
}

const NO_XRAY =
  "This is all that a script sees. A debug build of the server that listens on this " +
  "computer alone shows the frames, too.";

function subtitle({ t, client, from, about }) {
  if (!about) return "";
  const way = from === "client" ? `${client} → server` : `server → ${client}`;
  const since = about.request && t > about.request.t && t - about.request.t;
  return since ? `${way} · ${duration(since)} after the request` : way;
}

function section(title, ...children) {
  return make("section", {}, make("h3", {}, title), ...children);
}

/** A table of two columns: what a thing is called, and what it is. */
function list(pairs) {
  const rows = pairs
    .filter(([, value]) => value !== undefined)
    .flatMap(([name, value]) => [make("dt", {}, name), make("dd", {}, value)]);
  return make("dl", {}, ...rows);
}

// The handshake.

function request({ raw, about }) {
  const offers = field(raw.head, "sec-websocket-extensions");
  const took = field(about.response?.raw?.head ?? [], "sec-websocket-extensions");
  const parts = [section("As it was sent", head(raw.head))];
  if (offers && about.response) parts.push(make("p", {}, compression(took)));
  parts.push(
    make(
      "p",
      {},
      "Secrets in it are blanked: ●●● stands for each. Messages are never blanked.",
    ),
    make(
      "p",
      {},
      "Times are those at which the program read and wrote, not the network.",
    ),
  );
  return parts;
}

function compression(took) {
  const offered = "The browser offered to compress messages (permessage-deflate).";
  return took
    ? `${offered} The server accepts: ${took}.`
    : `${offered} The server did not take it.`;
}

function response({ raw, about }) {
  const parts = [section("As it was sent", head(raw.head))];
  if (raw.body) parts.push(section("The sentence for people", says(raw.body)));
  parts.push(list([["answered after", duration(raw.took ?? 0)]]));
  const key = field(about.request?.raw?.head ?? [], "sec-websocket-key");
  const accept = field(raw.head, "sec-websocket-accept");
  if (key && accept) parts.push(sum(key, accept));
  if (raw.status !== 101)
    parts.push(make("p", {}, "No WebSocket. A browser hides this answer from scripts."));
  return parts;
}

function head(lines) {
  const items = lines.map((line) =>
    make("li", { className: UPGRADE.test(line) ? "upgrade" : "" }, line),
  );
  return make("ol", { className: "head" }, ...items);
}

function field(lines, name) {
  const line = lines.find((line) => line.toLowerCase().startsWith(`${name}:`));
  return line?.slice(name.length + 1).trim();
}

/** How Sec-WebSocket-Accept follows from the key. It is computed here and now. */
function sum(key, accept) {
  const hash = make("code", {}, "…");
  const text = make("code", {}, "…");
  const verdict = make("p", {}, "…");
  digest(key + GUID).then((bytes) => {
    if (!bytes) {
      verdict.textContent = "This page may not compute it: it was not loaded securely.";
      return;
    }
    const base64 = btoa(String.fromCharCode(...bytes));
    hash.textContent = hex(bytes);
    text.textContent = base64;
    verdict.textContent =
      base64 === accept
        ? "✓ The server sent the same. So it read our key, and it speaks WebSocket."
        : `✗ The server sent ${accept}.`;
  });
  return section(
    "Sec-WebSocket-Accept, computed",
    list([
      ["the key", make("code", {}, key)],
      ["and the GUID", make("code", {}, GUID)],
      ["SHA-1 of both", hash],
      ["in Base64", text],
    ]),
    verdict,
  );
}

/** Nothing if the browser has no cryptography for pages that come without TLS. */
async function digest(text) {
  const bytes = new TextEncoder().encode(text);
  return crypto.subtle && new Uint8Array(await crypto.subtle.digest("SHA-1", bytes));
}

// TCP.

function tcp({ raw, text, about }) {
  if (raw?.what === "open")
    return list([
      ["from", raw.peer],
      ["before", raw.earlier?.length ? raw.earlier.join(", ") : undefined],
    ]);
  if (raw?.what !== "gone") return make("p", {}, text);
  const totals = list([
    ["lasted", duration(raw.lasted)],
    ["received", `${number(raw.received)} bytes`],
    ["sent", `${number(raw.sent)} bytes`],
    ["hung up first", raw.first && `the ${raw.first}`],
  ]);
  return make("div", {}, totals, make("p", {}, ending(raw, about)));
}

function ending({ first }, { response, close }) {
  if (!close && response?.isFault) return "There was no WebSocket on this connection.";
  if (!close) return "No Close frame came before: for a script, the code is 1006.";
  const rule = "RFC 6455 asks the server to hang up first after the Close frames.";
  return first === "server" ? rule : `${rule} Here the client did.`;
}

// Frames.

function message(row) {
  const { raw, kind } = row;
  const parts = [];
  if (kind === "close") parts.push(close(row));
  else if (row.text) parts.push(section("What it says", says(row.text)));
  else if (row.bytes === 0) parts.push(make("p", {}, "It has no payload."));
  if (row.isCut) parts.push(make("p", {}, cut(row)));
  if (raw?.rtt !== undefined)
    parts.push(
      make(
        "p",
        {},
        `The round trip took ${duration(raw.rtt)}: from our ping to this pong.`,
      ),
    );
  if (raw?.reads > 1)
    parts.push(
      make("p", {}, `It came in ${raw.reads} pieces, within ${duration(raw.took)}.`),
    );
  if (row.message?.frames.length > 1 || raw?.fin === false) parts.push(fragments(row));
  if (raw?.header) parts.push(header(raw), ...payload(raw));
  return parts;
}

function cut({ raw, bytes }) {
  if (raw.got !== undefined)
    return `It should have ${number(bytes)} bytes, but only ${number(raw.got)} came.`;
  return `Only the first bytes of ${number(bytes)} are kept here.`;
}

function close({ code, reason, meaning, text, about, from }) {
  const who =
    about.close?.from === from ? "This side closed first." : "This is the answer.";
  return section(
    "What it says",
    list([
      ["code", code === 1005 ? "none (scripts see 1005)" : `${code}`],
      ["meaning", /:/.test(meaning) ? meaning : shortMeaning(code)],
      ["reason", reason || "none"],
    ]),
    make("p", {}, who),
  );
}

function fragments({ raw, message }) {
  const { frames } = message;
  const index = frames.findIndex((frame) => frame.raw === raw) + 1;
  const sizes = frames.map(({ bytes }) => number(bytes)).join(" + ");
  const isOver = frames.at(-1).raw.fin;
  return section(
    "A fragmented message",
    make(
      "p",
      {},
      `Frame ${index} of ${isOver ? frames.length : `${frames.length} so far`}: ` +
        `${sizes} bytes. Only the first frame names the kind. FIN marks the last one.`,
    ),
  );
}

/** The header of a frame, bit by bit. */
function header(raw) {
  const bytes = bytesOf(raw.header);
  const bits = [...bytes.slice(0, 2)].map((byte) => byte.toString(2).padStart(8, "0"));
  const [first, second] = bits;
  const short = bytes[1] & 127;
  const extended = short === 126 ? 2 : short === 127 ? 8 : 0;
  const length = extended ? `${short}: see below` : `length ${raw.len}`;
  const boxes = [
    box("first", 2, first.slice(0, 1), "FIN"),
    box("first", 3, first.slice(1, 4), "RSV"),
    box("first", 3, first.slice(4), OPCODES[raw.opcode] ?? "reserved"),
    box("second", 2, second.slice(0, 1), "MASK"),
    box("second", 6, second.slice(1), length),
  ];
  if (extended) {
    const words = `length ${number(raw.len)}, in ${extended} bytes`;
    boxes.push(box("second", 16, hex(bytes.slice(2, 2 + extended)), words));
  }
  if (raw.mask) boxes.push(box("key", 16, hex(bytesOf(raw.mask)), "the masking key"));
  const named = pairs(bytes.slice(0, 2)).map((pair) => make("span", {}, pair));
  return section(
    `The header: ${bytes.length} bytes`,
    make("div", { className: "bits", ariaHidden: "true" }, ...named, ...boxes),
    make("p", { className: "hidden" }, spoken(raw, bits)),
  );
}

function box(className, columns, bits, words) {
  const element = make(
    "div",
    { className },
    make("b", {}, bits),
    make("small", {}, words),
  );
  element.style.gridColumn = `span ${columns}`;
  return element;
}

/** The same, for those who hear it. */
function spoken({ fin, rsv, opcode, len, mask }, [first, second]) {
  return (
    `Bits ${first} ${second}. FIN ${fin ? 1 : 0}, RSV ${rsv}, opcode ${opcode} ` +
    `(${OPCODES[opcode] ?? "reserved"}), ${mask ? "masked" : "not masked"}, length ${len}` +
    `${mask ? `, masking key ${hex(bytesOf(mask))}` : ""}.`
  );
}

/** The first bytes of the payload, and what masking did to them. */
function payload({ data, mask, len }) {
  const bytes = bytesOf(data.slice(0, 2 * SHOWN));
  if (bytes.length === 0) return [];
  const title =
    len > bytes.length
      ? `The payload: the first ${bytes.length} of ${number(len)} bytes`
      : "The payload";
  const letters = [...bytes].map((byte) =>
    byte > 32 && byte < 127 ? String.fromCharCode(byte) : "·",
  );
  const rows = [cells("reads", letters)];
  if (mask) {
    const key = bytesOf(mask);
    const keys = bytes.map((_, i) => key[i % 4]);
    rows.unshift(
      cells("as sent", pairs(bytes.map((byte, i) => byte ^ keys[i]))),
      cells("XOR key", pairs(keys), "key"),
      cells("gives", pairs(bytes), "plain"),
    );
  } else {
    rows.unshift(cells("as sent", pairs(bytes), "plain"));
  }
  return [
    section(title, make("table", {}, ...rows), make("p", {}, mask ? MASKED : PLAIN)),
  ];
}

const MASKED =
  "A client masks each frame with a fresh key. It hides nothing, because the key travels " +
  "along: it keeps proxies from taking a payload for a request.";

const PLAIN = "A server does not mask its frames.";

function cells(name, texts, className = "") {
  const all = texts.map((text) => make("td", {}, text));
  return make("tr", { className }, make("th", { scope: "row" }, name), ...all);
}

// What a message says.

/** A text; JSON is folded out. */
function says(text) {
  let value;
  try {
    value = JSON.parse(text, asSent);
  } catch {
    return pre(text);
  }
  return value instanceof Object
    ? make("div", { className: "json" }, json(value))
    : pre(text);
}

/** Keeps a number as it was sent. To a script, 1.0 is 1, and of 20 digits some are lost. */
function asSent(_, value, { source } = {}) {
  const canKeep = typeof value === "number" && source && JSON.rawJSON;
  return canKeep ? JSON.rawJSON(source) : value;
}

function pre(text) {
  const more =
    text.length > LETTERS ? `\n… and ${number(text.length - LETTERS)} more` : "";
  return make("pre", {}, text.slice(0, LETTERS) + more);
}

/** A value of JSON. What is in an object or a list can be folded. */
function json(value, name, comma = "", depth = 0) {
  const key = name === undefined ? [] : [`${JSON.stringify(name)}: `];
  if (!(value instanceof Object) || depth > DEPTH)
    return make("div", {}, ...key, make("b", {}, JSON.stringify(value)), comma);

  const isList = Array.isArray(value);
  const [open, shut] = isList ? "[]" : "{}";
  const entries = isList ? value.map((one) => [undefined, one]) : Object.entries(value);
  if (entries.length === 0) return make("div", {}, ...key, open, shut, comma);

  const children = entries
    .slice(0, ENTRIES)
    .map(([name, one], i) =>
      json(one, name, i + 1 < entries.length ? "," : "", depth + 1),
    );
  if (entries.length > ENTRIES)
    children.push(make("div", {}, `… and ${number(entries.length - ENTRIES)} more`));
  const count = `${number(entries.length)} ${isList ? "in the list" : "fields"}`;
  const summary = make("summary", {}, ...key, open, make("small", {}, ` ${count} `));
  const isOpen = depth < 2 || entries.length < 10;
  return make(
    "details",
    { open: isOpen },
    summary,
    ...children,
    make("div", {}, shut, comma),
  );
}
