// A session as a transcript: what clients did, and what the server answered, in the
// language that transcript.js reads.

import { jsonPieces } from "./json-pieces.js";
import { PEOPLE as PASSWORDS } from "./people.js";
import { BLANK, pairs } from "./wire-rows.js";

/** A moment as JSON has it. No two replays have the same. */
const MOMENT = /^"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)"$/;

/**
 * After so long a silence, in milliseconds, a step of its own waits. A replay gives up after
 * ten seconds without a message, and may be slower than the session was.
 */
const LONG_SILENCE = 5_000;

/** The transcript of rows, as a text. */
export function transcriptOf(rows) {
  const transcript = new Transcript();
  rows.forEach((row) => transcript.add(row));
  return transcript.text;
}

class Transcript {
  #steps = []; // Lines, and lists of them.
  #clients = new Map(); // What we know of a connection: its name, and whether it is open.
  #signedIn = new Set();
  #asked = new Map(); // Where a connection begins: with its request.
  #unknown = new Set(); // Connections whose beginning we have not seen.
  #last; // When the last step was.

  get text() {
    return this.#steps
      .flat()
      .map((line) => `${line}\n`)
      .join("");
  }

  add(row) {
    if (row.kind === "gap") this.#remark(`Here ${row.text}.`);
    if (row.kind === "note") this.#remark(row.text);
    if (!row.about) return;

    const client = this.#clients.get(row.about);
    if (row.kind === "request") this.#ask(row);
    else if (row.kind === "response" && this.#asked.has(row.about)) this.#answer(row);
    else if (client?.isOpen) this.#step(row, client);
    else if (!client) this.#mention(row);
  }

  #step(row, client) {
    if (row.kind === "close") this.#close(row, client);
    else if (row.kind === "tcp") this.#end(row, client);
    else if (row.group === "text" || row.group === "binary") this.#message(row, client);
  }

  /**
   * Keeps a place for the step that connects. Why not when the answer comes? Others may be
   * told of a client before its own script hears that the connection is open.
   */
  #ask({ t, about }) {
    const name = nameOf(about.client);
    const path = this.#path(about, nameOf(about.base));
    const place = [];
    this.#asked.set(about, { name, path, place });
    this.#steps.push(place);
    this.#last = t;
  }

  #answer({ about, raw, isFault }) {
    const { name, path, place } = this.#asked.get(about);
    if (isFault && !raw)
      place.push("# A browser hides the status of a rejection. It may be another one:");
    if (isFault) place.push(`${name} is refused ${raw?.status ?? 401} ${path}`);
    else place.push(`${name} connects ${path}`);
    this.#clients.set(about, { name, isOpen: !isFault });
  }

  /** The path, with a placeholder for the token. A line before it signs in. */
  #path({ path, request, hasCookie }, owner) {
    const head = request.raw?.head ?? [];
    const hasToken = head.some((line) => /^authorization:|bearer\.●/i.test(line));
    const inQuery = path.includes(BLANK);
    if (!inQuery && !hasToken && !hasCookie) return path;
    // Another replay has another cookie, or none: it needs a person, and a password.
    if (!inQuery && !hasToken && !PASSWORDS[owner]) {
      this.#remark(`A cookie says who ${owner} is, and a transcript has none.`);
      return path;
    }

    if (!this.#signedIn.has(owner)) {
      this.#signedIn.add(owner);
      if (!PASSWORDS[owner]) this.#remark(`What is the password of ${owner}?`);
      this.#line(request.t, owner, "signs in", PASSWORDS[owner] ?? "a-password");
    }
    const token = `{${owner}.token}`;
    if (inQuery) return path.replaceAll(BLANK, token);
    return `${path}${path.includes("?") ? "&" : "?"}token=${token}`;
  }

  #message(row, { name }) {
    const frames = row.message?.frames ?? [row];
    if (frames.at(-1) !== row || row.raw?.fin === false) return; // More of it comes.

    const verb = row.from === "client" ? "sends" : "receives";
    if (frames.some(({ isCut }) => isCut)) {
      const bytes = frames.reduce((sum, frame) => sum + frame.bytes, 0);
      this.#remark(`${name} ${verb} ${bytes} bytes, of which only the first were kept.`);
      return;
    }
    this.#line(row.t, name, verb, this.#words(row.group, frames, verb === "receives"));
  }

  #words(group, frames, isReceived) {
    const bytes = frames.flatMap(({ data }) => [...(data ?? [])]);
    if (group === "binary") return ["bytes", ...pairs(bytes)].join(" ");
    const isOne = frames.length === 1;
    const text = isOne ? frames[0].text : new TextDecoder().decode(new Uint8Array(bytes));
    if (!isPlainJson(text)) return JSON.stringify(text);
    return isReceived ? withStars(text) : text;
  }

  #close(row, client) {
    client.isOpen = false;
    if (row.from === "server")
      return this.#line(
        row.t,
        client.name,
        "is closed",
        `${row.code} ${row.reason}`.trim(),
      );
    const mayBeSent = row.code === 1000 || (row.code >= 3000 && row.code < 5000);
    if (mayBeSent || row.code === 1005)
      this.#line(
        row.t,
        client.name,
        "closes",
        `${mayBeSent ? row.code : 1000} ${row.reason}`.trim(),
      );
    else this.#line(row.t, client.name, "vanishes");
  }

  /** The connection ends without a Close. */
  #end(row, client) {
    client.isOpen = false;
    const isServer = row.raw?.what === "gone" && row.raw.first === "server";
    if (isServer || !row.raw) this.#line(row.t, client.name, "is closed", "1006");
    else this.#line(row.t, client.name, "vanishes");
  }

  /** Says once that somebody was there before the first row. */
  #mention({ about, group, client }) {
    if (group === "tcp" || this.#unknown.has(about)) return;
    this.#unknown.add(about);
    this.#remark(
      `${client} had connected before the first of these rows, and is left out.`,
    );
  }

  #line(t, name, verb, words = "") {
    if (t - this.#last > LONG_SILENCE && /^(receives|is closed)$/.test(verb))
      this.#steps.push(`${name} waits ${Math.floor((t - this.#last) / 1000)}s`);
    this.#last = t;
    this.#steps.push(`${name} ${verb} ${words}`.trimEnd());
  }

  #remark(words) {
    this.#steps.push(`# ${words.replace(/\s+/g, " ")}`);
  }
}

/** A client's name as transcripts write it: “Ana 2” is “ana-2”. */
const nameOf = (client) => client.toLowerCase().replaceAll(" ", "-");

/** Whether a text can stand in a transcript as it is. */
function isPlainJson(text) {
  if (!/^[{[]/.test(text) || /[\r\n]|[ \t]$/.test(text)) return false;
  try {
    return JSON.parse(text) instanceof Object;
  } catch {
    return false;
  }
}

/** JSON with a star for each moment in it. */
const withStars = (json) =>
  jsonPieces(json)
    .map(({ kind, text }) => (kind === "value" && MOMENT.test(text) ? "*" : text))
    .join("");
