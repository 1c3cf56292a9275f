// Transcripts: conversations in words for people, which can be executed.
//
// The book specifies the language. `probe` runs it in Rust; the two agree on every line.

/** How long we wait for something that should come, in milliseconds. */
const TIMEOUT = 10_000;

/** How long the server has, after each step, to process it, in milliseconds. */
const PAUSE = 30;

/** The same after a handshake: only when that is over, the server lets somebody join. */
const JOIN_PAUSE = 120;

/** Stands for any value. No message has a zero as its key. */
const ANY = '{"\\u0000":"*"}';

const VERB =
  "a verb: connects, signs in, sends, receives, closes, vanishes, waits, " +
  "ignores, is refused or is closed";
const MESSAGE = 'a message: {"type":…}, "a text", or bytes 00 ff';

/** Stands for the name of a room that is new with each replay. */
const ROOM = "{room}";

/** Who it is that ignores something: all at once, and nobody alone. */
const EVERYBODY = "everybody";

/** Why a transcript cannot be read. */
export class ParseError extends Error {
  constructor(line, column, expected, found) {
    super(`line ${line}, column ${column}: expected ${expected}, but found ${found}`);
    this.line = line;
  }
}

/** Reads a transcript: `[{ line, who, act, … }]`. Throws a `ParseError`. */
export function parse(text) {
  const people = { connected: new Set(), signedIn: new Set() };
  return text
    .split(/\r?\n/)
    .map((words, i) => new Line(i + 1, words))
    .filter((line) => line.rest && !line.rest.startsWith("#"))
    .map((line) => readStep(line, people));
}

/** One line, and how far it has been read: the next word begins at `at`. */
class Line {
  constructor(number, text) {
    this.number = number;
    this.text = text.replace(/[ \t]+$/, "");
    this.at = this.text.search(/[^ \t]|$/);
  }

  get rest() {
    return this.text.slice(this.at);
  }

  takeRest() {
    const { rest } = this;
    this.at = this.text.length;
    return rest;
  }

  anyWord() {
    const [all, word] = /^([^ \t]*)[ \t]*/.exec(this.rest);
    this.at += all.length;
    return word;
  }

  /** The next word, which must match `pattern`. */
  word(expected, pattern, isGood = () => true) {
    const { at } = this;
    const word = this.anyWord();
    if (!word || !pattern.test(word) || !isGood(word)) this.fail(expected, at);
    return word;
  }

  keyword(keyword) {
    this.word(`the word “${keyword}”`, /./, (word) => word === keyword);
  }

  count(expected, isGood) {
    return Number(this.word(expected, /^\d{1,5}$/, (word) => isGood(Number(word))));
  }

  fail(expected, at = this.at) {
    const [word] = this.text.slice(at).split(/[ \t]/);
    const column = [...this.text.slice(0, at)].length + 1;
    const found = word ? `“${word}”` : "the end of the line";
    throw new ParseError(this.number, column, expected, found);
  }
}

function readStep(line, people) {
  const start = line.at;
  const who = line.word("a name", /^\p{Alphabetic}[\p{Alphabetic}\p{N}_-]*$/u);
  const verb = line.at;
  let act = line.anyWord();
  if (act === "is") act += ` ${line.anyWord()}`;
  if (!Object.hasOwn(READ, act)) line.fail(VERB, verb);
  if (act === "ignores" && who !== EVERYBODY) line.fail(`the word “${EVERYBODY}”`, start);
  const step = { line: line.number, who, act, ...READ[act](line, people) };
  if (line.rest) line.fail("the end of the line");

  const connected = people.connected.has(who);
  if (act === "connects") {
    if (connected) line.fail(`somebody who is not connected, as ${who} is`, start);
    people.connected.add(who);
  } else if (act === "signs") {
    people.signedIn.add(who);
  } else if (!/^(is refused|waits|ignores)$/.test(act)) {
    if (!connected) line.fail(`a line before this one in which ${who} connects`, start);
    if (/^(is closed|closes|vanishes)$/.test(act)) people.connected.delete(who);
  }
  return step;
}

/** What follows each verb. */
const READ = {
  connects: (line, people) => ({ path: readPath(line, people) }),
  signs(line) {
    line.keyword("in");
    return { password: line.word("a password", /./) };
  },
  sends: (line) => ({ message: readMessage(line, false) }),
  receives(line) {
    if (!/^nothing([ \t]|$)/.test(line.rest)) return { message: readMessage(line, true) };
    line.keyword("nothing");
    line.keyword("for");
    return { nothingFor: readTime(line) };
  },
  closes(line) {
    const code = line.count(
      "a code that a script may send: 1000, or 3000 to 4999",
      (code) => code === 1000 || (code >= 3000 && code < 5000),
    );
    if (new TextEncoder().encode(line.rest).length > 123)
      line.fail("a reason of at most 123 bytes");
    return { code, reason: line.takeRest() };
  },
  vanishes: () => ({}),
  waits: (line) => ({ time: readTime(line) }),
  ignores(line) {
    const what = line.word("messages or fields", /^(messages|fields)$/);
    const names = [];
    while (names.length === 0 || line.rest)
      names.push(
        line.word("a name in JSON, such as user_left", /^[\p{Alphabetic}\p{N}_]+$/u),
      );
    return { what, names };
  },
  "is closed"(line) {
    const isCode = (code) => code >= 1000 && code < 5000;
    const code = line.count("a close code: 1000 to 4999", isCode);
    return { code, reason: line.takeRest() };
  },
  "is refused"(line, people) {
    const isStatus = (status) => status >= 400 && status < 600;
    const status = line.count("a status: 400 to 599", isStatus);
    if (!line.rest.startsWith("signing")) return { status, path: readPath(line, people) };
    line.keyword("signing");
    line.keyword("in");
    return { status, password: line.word("a password", /./) };
  },
};

function readPath(line, { signedIn }) {
  const { at } = line;
  const path = line.word("a path, such as /ws", /^\/[\w\-.~!$&'()*+,;=:@%/?{}]*$/);
  for (const rest of path.replaceAll(ROOM, "").split("{").slice(1)) {
    const end = rest.indexOf(".token}");
    if (end < 0 || !signedIn.has(rest.slice(0, end)))
      line.fail("{name.token} of somebody who has signed in", at);
  }
  return path;
}

function readMessage(line, mayHaveStars) {
  const { rest } = line;
  try {
    if (rest.startsWith('"')) return { text: JSON.parse(line.takeRest()) };
    if (/^[{[]/.test(rest)) {
      const json = rest.replace(/("(?:[^"\\]|\\.)*")|\*/g, (_, text) => text ?? ANY);
      const message = { text: rest, json: JSON.parse(mayHaveStars ? json : rest) };
      line.takeRest();
      return message;
    }
  } catch {
    line.fail(MESSAGE, line.text.length - rest.length);
  }
  if (!/^bytes([ \t]+[\da-f]{2})*$/i.test(rest)) line.fail(MESSAGE);
  const [, ...pairs] = line.takeRest().split(/[ \t]+/);
  return { bytes: pairs.map((pair) => parseInt(pair, 16)) };
}

function readTime(line) {
  const pattern = /^(\d{1,6})(ms|s|min)$/;
  const word = line.word("a time, such as 500ms, 3s or 1min", pattern);
  const [, number, unit] = pattern.exec(word);
  return number * { ms: 1, s: 1_000, min: 60_000 }[unit];
}

/**
 * Runs steps against a server, until one of them is false. `onStep` is called with each
 * step and, if it is false, with what came instead. `open` is called with the name of who
 * connects, and a function that does it. Resolves to whether all are true. When `signal`
 * aborts, it ends at once, and rejects.
 */
export async function replay(
  steps,
  server,
  onStep,
  open = (_, connect) => connect(),
  signal = new AbortController().signal,
) {
  const aborted = new Promise((_, reject) =>
    signal.addEventListener("abort", () => reject(signal.reason)),
  );
  aborted.catch(() => {}); // Nobody may be waiting for it.
  const context = {
    server,
    async open(who, connect) {
      const client = await open(who, connect);
      if (signal.aborted) client.vanish(); // It comes too late.
      return client;
    },
    room: `replay-${crypto.getRandomValues(new Uint32Array(1))[0]}-`,
    ignored: { messages: [], fields: [] },
    clients: new Map(),
    tokens: new Map(),
  };
  try {
    for (const step of steps) {
      signal.throwIfAborted();
      const came = await Promise.race([RUN[step.act](context, step), aborted]);
      onStep(step, came);
      if (came) return false;
      const time = step.act === "connects" ? JOIN_PAUSE : PAUSE;
      await Promise.race([pause(time), aborted]);
    }
    return true;
  } finally {
    for (const client of context.clients.values()) client.vanish();
  }
}

/** What each verb does. Each returns what came instead, or nothing. */
const RUN = {
  async connects(context, step) {
    const path = fill(context, step.path);
    const url = context.server + path;
    const client = await context.open(step.who, (onFrame) => new Inbox(url, onFrame));
    context.clients.set(step.who, client);
    if (await client.opened) return;
    const { status } = await askRejection(context.server, path);
    return `no WebSocket (status: ${status ?? "unknown"})`;
  },
  async "is refused"(context, step) {
    if (step.password) {
      const { status } = await signIn(context.server, step.who, step.password);
      if (status !== step.status) return `status ${status}`;
      return;
    }
    const path = fill(context, step.path);
    const url = context.server + path;
    const client = await context.open(step.who, (onFrame) => new Inbox(url, onFrame));
    if (await client.opened) {
      client.vanish();
      return "got a WebSocket";
    }
    const { status = step.status } = await askRejection(context.server, path);
    // A server that is not of the course does not say its status. Any will do then.
    if (status !== step.status) return `status ${status}`;
  },
  async signs({ server, tokens }, { who, password }) {
    const { status, token } = await signIn(server, who, password);
    tokens.set(who, token);
    if (status !== 200) return `status ${status}`;
  },
  async sends({ clients, room }, { who, message }) {
    const { text, bytes } = message;
    if (!clients.get(who).send(text?.replaceAll(ROOM, room) ?? new Uint8Array(bytes)))
      return "the connection is over";
  },
  async receives(context, { who, message, nothingFor }) {
    const came = await next(context, who, nothingFor ?? TIMEOUT);
    if (nothingFor ? came : !came || !fits(message, came)) return describe(came);
  },
  async closes({ clients }, { who, code, reason }) {
    const client = clients.get(who);
    client.socket.close(code, reason);
    const close = await client.closed();
    clients.delete(who);
    if (close?.code !== code || !close.wasClean) return describe(close);
  },
  async "is closed"(context, { who, code, reason }) {
    const came = await next(context, who, TIMEOUT);
    const fits = came?.code === code && (!reason || came.reason === reason);
    if (!fits) return describe(came);
    context.clients.delete(who);
  },
  async vanishes({ clients }, { who }) {
    clients.get(who).vanish();
    clients.delete(who);
  },
  waits: (_, { time }) => pause(time),
  async ignores({ ignored }, { what, names }) {
    ignored[what].push(...names);
  },
};

/** What comes next and is not ignored, as a transcript would say it. */
async function next({ clients, room, ignored }, who, timeout) {
  const deadline = Date.now() + timeout;
  for (;;) {
    const came = await clients.get(who).next(Math.max(0, deadline - Date.now()));
    if (typeof came?.data !== "string") return came;
    const data = came.data.replaceAll(room, ROOM);
    let message;
    try {
      message = JSON.parse(data);
    } catch {
      return { data };
    }
    if (ignored.messages.includes(message?.type)) continue;
    let removed = false;
    const rest = JSON.stringify(message, (field, value) => {
      if (!ignored.fields.includes(field)) return value;
      removed = true; // Undefined: the field is left out.
    });
    return { data: removed ? rest : data };
  }
}

/**
 * A WebSocket that can vanish. A script cannot drop a connection, so the socket belongs to
 * a frame of its own. When the frame is removed, it is as if somebody had closed the tab.
 * `onFrame` is called with the frame's window, before it connects.
 */
export class Client {
  constructor(url, onFrame) {
    this.frame = document.createElement("iframe");
    this.frame.hidden = true;
    document.body.append(this.frame);
    onFrame?.(this.frame.contentWindow);
    try {
      this.socket = new this.frame.contentWindow.WebSocket(url);
    } catch (error) {
      this.frame.remove();
      throw error;
    }
    this.socket.binaryType = "arraybuffer";
    this.socket.addEventListener("close", () => setTimeout(() => this.frame.remove()));
  }

  send(data) {
    const open = this.socket.readyState === WebSocket.OPEN;
    if (open) this.socket.send(data);
    return open;
  }

  vanish() {
    this.frame.remove();
  }
}

/** A client whose messages wait until somebody asks for them. */
class Inbox extends Client {
  queue = [];
  wake = () => {};

  constructor(url, onFrame) {
    super(url, onFrame);
    this.opened = new Promise((resolve) => {
      this.socket.addEventListener("open", () => resolve(true));
      this.socket.addEventListener("close", () => resolve(false));
    });
    this.socket.addEventListener("message", ({ data }) => this.put({ data }));
    this.socket.addEventListener("close", (event) => this.put(event));
  }

  put(event) {
    this.queue.push(event);
    this.wake();
  }

  async next(timeout) {
    const came = new Promise((resolve) => (this.wake = resolve));
    if (this.queue.length === 0) await Promise.race([came, pause(timeout)]);
    return this.queue.shift();
  }

  /** The `close` event. Skips the messages that still come before it. */
  async closed() {
    const deadline = Date.now() + TIMEOUT;
    for (;;) {
      const came = await this.next(deadline - Date.now());
      if (!came || "code" in came) return came;
    }
  }
}

function fits({ text, json, bytes }, { data }) {
  if (data === undefined) return false; // It was a `close` event.
  if (typeof data !== "string")
    return bytes !== undefined && `${bytes}` === `${new Uint8Array(data)}`;
  if (json === undefined) return data === text;
  try {
    return same(json, JSON.parse(data));
  } catch {
    return false;
  }
}

/** Whether two JSON values mean the same. The order of fields does not matter. */
function same(expected, came) {
  if (!(expected instanceof Object)) return expected === came;
  if (Object.hasOwn(expected, "\0")) return true;
  return (
    came instanceof Object &&
    Array.isArray(expected) === Array.isArray(came) &&
    Object.keys(expected).length === Object.keys(came).length &&
    Object.keys(expected).every(
      (key) => Object.hasOwn(came, key) && same(expected[key], came[key]),
    )
  );
}

function describe(came) {
  if (!came) return `nothing came for ${TIMEOUT / 1000} s`;
  if ("code" in came) return `the connection was closed: ${came.code} ${came.reason}`;
  if (typeof came.data === "string") return came.data || "an empty text";
  return `${came.data.byteLength} bytes`;
}

function fill({ tokens, room }, path) {
  return path.replaceAll(ROOM, room).replace(/\{([^}]*)\.token\}/g, (_, name) => tokens.get(name));
}

/** Asks for a token, as lesson 08 gives it: `{ status, token }`. */
export async function signIn(server, username, password) {
  const body = JSON.stringify({ username, password });
  // Not /login itself: a page of the book, which has another origin, may not ask there.
  const request = { method: "POST", body, credentials: "omit" };
  try {
    const answer = await fetch(`${server}/lab/login`, request);
    const { token } = answer.ok ? await answer.json() : {};
    return { status: answer.status, token };
  } catch {
    return { status: "unknown" }; // It does not answer, or not to this page.
  }
}

/**
 * How an upgrade is rejected, which a browser hides: so the server asks itself.
 *
 * Resolves to `{ status, body }`, and to `{}` if that cannot be known: the server does not
 * let us ask, or it is gone.
 */
export async function askRejection(server, path) {
  try {
    const answer = await fetch(`${server}/lab/upgrade${path}`, { credentials: "omit" });
    if (!answer.ok) return {};
    const [status, ...body] = (await answer.text()).split("\n");
    return { status: Number(status), body: body.join("\n") };
  } catch {
    return {};
  }
}

export const pause = (time) => new Promise((resolve) => setTimeout(resolve, time));
