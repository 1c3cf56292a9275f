// Talks to the lessons through a client that we did not write: Node's ws.
//
// Run: .ci/interop/clients, which installs what this needs. Part of it:
//
//     node --test-name-pattern "rooms" clients.mjs
//
// INTEROP_FRONT=HOST:PORT names who has a way to each server, such as a proxy: see Front in
// .ci/edge/edge.py.

import assert from "node:assert/strict";
import { once } from "node:events";
import { connect } from "node:net";
import { afterEach, beforeEach, describe, test } from "node:test";

import WebSocket from "ws";

import { start } from "../browser/server.mjs";

const LIMITS = { timeout: 60_000 };
const PATIENCE = 10_000; // Milliseconds that we wait for anything.
const MAX_MESSAGE_SIZE = 64 * 1024; // The longest message that a lesson accepts.

// Each server adds a listener, so that none outlives us. Here are many servers.
process.setMaxListeners(0);
process.once("SIGTERM", () => process.exit(1));

/** What `promise` brings, unless it takes too long. */
async function soon(promise, title) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(
      () => reject(new Error(`waited ${PATIENCE} ms for ${title}, and it did not come`)),
      PATIENCE,
    );
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** A client that remembers all that happened to it, in order, until a test asks. */
class Client {
  #events = [];
  #wake = () => {};

  constructor(url, protocols, options) {
    this.socket = new WebSocket(url, protocols, options);
    this.socket.on("message", (data, isBinary) =>
      this.#happens({ message: isBinary ? data : data.toString() }),
    );
    this.socket.on("close", (code, reason) =>
      this.#happens({ code, reason: reason.toString() }),
    );
    this.socket.on("error", () => {}); // A close follows, and says what there is to say.
  }

  #happens(event) {
    this.#events.push(event);
    this.#wake();
  }

  async #next(title) {
    while (this.#events.length === 0) {
      await soon(new Promise((resolve) => (this.#wake = resolve)), title);
    }
    return this.#events.shift();
  }

  /**
   * Waits until the server listens to this client, or has closed it. The 101 comes
   * earlier: whoever counts on it can be overtaken by the next one who comes in.
   */
  async isServed() {
    this.socket.ping();
    await soon(
      Promise.race([once(this.socket, "pong"), once(this.socket, "close")]),
      "a pong after the upgrade",
    );
  }

  says(message, options) {
    const isJson = message.constructor === Object;
    this.socket.send(isJson ? JSON.stringify(message) : message, options);
  }

  /** The next message is this one. An object stands for JSON; its timestamp may vary. */
  async hears(expected) {
    const event = await this.#next(`the message ${JSON.stringify(expected)}`);
    let { message } = event;
    if (message !== undefined && expected.constructor === Object) {
      message = JSON.parse(message);
      if ("timestamp" in message) {
        assert.ok(!Number.isNaN(Date.parse(message.timestamp)), "a timestamp is a time");
        delete message.timestamp;
      }
    }
    assert.deepEqual(message ?? event, expected);
  }

  /** The next message, whatever it is. */
  async hearsAny() {
    return JSON.parse((await this.#next("any message")).message);
  }

  /** The next message is an error that says this. */
  async isToldOff(sentence) {
    const event = await this.#next(`an error that says ${sentence}`);
    const { type, message } = JSON.parse(event.message);
    assert.equal(type, "error");
    assert.match(message, sentence);
  }

  /** The next thing that happens is the end of the connection. 1006: without a Close. */
  async isClosed(code, reason = /^/) {
    const event = await this.#next(`a Close with ${code}`);
    assert.equal(event.code, code, `instead came ${JSON.stringify(event)}`);
    assert.match(event.reason, reason);
  }

  /** Closes the connection. The server must answer, or else this would be a 1006. */
  async leaves(code = 1000, reason = "") {
    this.socket.close(code, reason);
    await this.isClosed(code);
  }

  /** Drops the connection without a Close. */
  drops() {
    this.socket.terminate();
  }

  /** Sends bytes that ws itself would not send. */
  writes(bytes) {
    this.socket._socket.write(bytes);
  }
}

/** How clients reach a server that is about to start. It lasts until its end. */
async function wayThere() {
  if (!process.env.INTEROP_FRONT) return { end() {} };
  const [host, port] = process.env.INTEROP_FRONT.split(":");
  const connection = connect(port, host);
  const [line] = await soon(once(connection, "data"), "a way to a server");
  return { ...JSON.parse(line), end: () => connection.destroy() };
}

/** Gives each test of a `describe` a server of its own. */
function serve(name) {
  const lesson = {
    name,
    /** Brings a client in, for the length of the test `t`. */
    async connect(t, path, { protocols = [], ...options } = {}) {
      const client = new Client(lesson.url + path, protocols, options);
      t.after(() => client.drops());
      const rejected = once(client.socket, "unexpected-response").then(([, response]) => {
        throw new Error(`${path} was rejected with ${response.statusCode}`);
      });
      await soon(Promise.race([once(client.socket, "open"), rejected]), `a way in at ${path}`);
      await client.isServed();
      return client;
    },
    /** The server answers with a status and a sentence, and there is no upgrade. */
    async rejects(path, status, sentence, { protocols = [], ...options } = {}) {
      const socket = new WebSocket(lesson.url + path, protocols, options);
      socket.on("error", () => {});
      const opened = once(socket, "open").then(() => {
        socket.terminate();
        throw new Error(`${path} should be rejected with ${status}, but we are in`);
      });
      const [, response] = await soon(
        Promise.race([once(socket, "unexpected-response"), opened]),
        `a rejection of ${path}`,
      );
      const body = (await response.toArray()).join("");
      assert.equal(response.statusCode, status, body);
      assert.match(body, sentence);
    },
    get: async (path, options) =>
      fetch(lesson.url + path, { signal: AbortSignal.timeout(PATIENCE), ...options }),
  };
  beforeEach(async () => {
    lesson.way = await wayThere();
    lesson.server = await start(name, 0, lesson.way.env);
    lesson.url = lesson.way.url ?? lesson.server.url;
    lesson.newcomers = 0;
  });
  afterEach(async () => {
    await lesson.server.stop();
    lesson.way.end();
    assert.doesNotMatch(lesson.server.output(), /panicked/, "a server never panics");
  });
  return lesson;
}

/** For what the server does after it has let a client go. */
async function eventually(ask, expected) {
  const deadline = Date.now() + PATIENCE;
  let answer = await ask();
  while (JSON.stringify(answer) !== JSON.stringify(expected) && Date.now() < deadline) {
    await new Promise((resolve) => setTimeout(resolve, 10));
    answer = await ask();
  }
  assert.deepEqual(answer, expected);
}

const UNMASKED = Buffer.from([0x81, 0x02, 0x68, 0x69]);

/**
 * What holds in all lessons. `enter` brings a client in; `getsThrough` has it say
 * something with `say`, and makes sure that "still here?" arrived as one message.
 */
function everyLesson(enter, getsThrough, { codes = true } = {}) {
  test("a ping is answered with a pong that carries the same bytes", async (t) => {
    const ana = await enter(t);

    ana.socket.ping("are you there?");

    const [bytes] = await soon(once(ana.socket, "pong"), "the pong");
    assert.equal(bytes.toString(), "are you there?");
  });

  test("a Close is answered with a Close", async (t) => {
    await (await enter(t)).leaves(1000);
    await (await enter(t)).leaves(3001, "lunch");
  });

  test("a message in fragments is one message, and a ping in between does no harm", async (t) => {
    const ana = await enter(t);

    await getsThrough(t, ana, async (start, end) => {
      ana.socket.send(`${start}still `, { fin: false });
      ana.socket.ping();
      await soon(once(ana.socket, "pong"), "the pong between the fragments");
      ana.socket.send("he", { fin: false });
      ana.socket.send(`re?${end}`, { fin: true });
    });
  });

  test("compression is declined", async (t) => {
    const ana = await enter(t);

    assert.equal(ana.socket.extensions, "");
    await getsThrough(t, ana, (start, end) => ana.says(`${start}still here?${end}`));
  });

  if (!codes) return; // They come with lesson 06.

  test("a protocol violation is closed with its code", async (t) => {
    const long = await enter(t);
    long.says("x".repeat(MAX_MESSAGE_SIZE + 1));
    await long.isClosed(1009);

    const bare = await enter(t);
    bare.writes(UNMASKED);
    await bare.isClosed(1002);
  });
}

describe("lesson 01, echo", LIMITS, () => {
  const lesson = serve("lesson_01_echo");
  const enter = (t) => lesson.connect(t, "/ws");
  everyLesson(enter, echoes, { codes: false });

  test("text comes back as an echo, and binary byte for byte", async (t) => {
    const ana = await enter(t);

    ana.says("Grüß dich 👋");
    await ana.hears("Echo: Grüß dich 👋");
    ana.says(Buffer.from([0, 128, 255]));
    await ana.hears(Buffer.from([0, 128, 255]));
  });

  test("a message that is too long ends the connection", async (t) => {
    const ana = await enter(t);

    ana.says("x".repeat(MAX_MESSAGE_SIZE + 1));

    await ana.isClosed(1006);
  });
});

describe("lesson 02, disconnect", LIMITS, () => {
  const lesson = serve("lesson_02_disconnect");
  const enter = (t) => lesson.connect(t, "/ws");
  everyLesson(enter, echoes, { codes: false });

  test("bye gets a goodbye", async (t) => {
    const ana = await enter(t);

    ana.says("bye");

    await ana.isClosed(1000, /^Goodbye!$/);
  });

  test("the count follows those who come and go", async (t) => {
    const count = async () => (await lesson.get("/connections")).text();
    await eventually(count, "0");
    const ana = await enter(t);
    const ben = await enter(t);
    await eventually(count, "2");

    ben.drops();
    await eventually(count, "1");
    await ana.leaves();
    await eventually(count, "0");
  });
});

async function echoes(_, client, say) {
  await say("", "");
  await client.hears("Echo: still here?");
}

describe("lesson 03, the connection manager", LIMITS, () => {
  const lesson = serve("lesson_03_connection_manager");
  const enter = async (t) => {
    const client = await lesson.connect(t, "/ws");
    client.id = lesson.newcomers += 1;
    await client.hears(`You are client ${client.id}.`);
    return client;
  };
  everyLesson(enter, async (t, client, say) => {
    const listener = await enter(t);
    await say("", "");
    await listener.hears(`Client ${client.id}: still here?`);
  }, { codes: false });

  test("clients hear each other come, speak and go", async (t) => {
    const ana = await enter(t);
    const ben = await enter(t);
    await ana.hears(`Client ${ben.id} joined.`);

    ben.says("hi");
    await ana.hears(`Client ${ben.id}: hi`);
    ben.drops();
    await ana.hears(`Client ${ben.id} left.`);
  });
});

describe("lesson 04, path parameters", LIMITS, () => {
  const lesson = serve("lesson_04_path_params");
  const enter = async (t, id = (lesson.newcomers += 1)) => {
    const client = await lesson.connect(t, `/ws/${id}`);
    client.id = id;
    await client.hears(`You are client ${id}.`);
    return client;
  };
  everyLesson(enter, async (t, client, say) => {
    const listener = await enter(t);
    await say("", "");
    await listener.hears(`Client ${client.id}: still here?`);
  }, { codes: false });

  test("an id that is no number is rejected with 400, one in use with 409", async (t) => {
    const ana = await enter(t, 700);

    await lesson.rejects("/ws/abc", 400, /A client id is a whole number/);
    await lesson.rejects("/ws/700", 409, /Client 700 is connected already/);

    await ana.leaves();
    await enter(t, 700);
  });
});

describe("lesson 05, query parameters", LIMITS, () => {
  const lesson = serve("lesson_05_query_params");
  const enter = async (t, query = "") => {
    const id = (lesson.newcomers += 1);
    const client = await lesson.connect(t, `/ws/${id}?token=let-me-in${query}`);
    client.id = id;
    await client.hears(`You are client ${id}.`);
    return client;
  };
  everyLesson(enter, async (_, client, say) => {
    await say("", "");
    await client.hears(`Client ${client.id}: still here?`);
  }, { codes: false });

  test("no token, or a wrong one, is rejected with 401", async () => {
    await lesson.rejects("/ws/7", 401, /token/);
    await lesson.rejects("/ws/7?token=wrong", 401, /token/);
  });

  test("the polite path closes with 4001, and says why", async (t) => {
    const eve = await lesson.connect(t, "/ws/7/polite");

    await eve.isClosed(4001, /token/);
  });

  test("with echo off one does not hear oneself", async (t) => {
    const ana = await enter(t, "&echo=false");
    const ben = await enter(t);
    await ana.hears(`Client ${ben.id} joined.`);

    ana.says("hi");
    await ben.hears(`Client ${ana.id}: hi`);
    ben.says("hello");
    await ana.hears(`Client ${ben.id}: hello`);
  });
});

const PONG = { type: "pong" };

/** What holds from lesson 06 on. `enter` takes a name, `others` are in every chat. */
function everyLessonWithJson(enter, others) {
  const chat = (from, content) => ({ type: "chat", from, content, ...others });

  everyLesson(enter, async (_, client, say) => {
    await say('{"type":"chat","content":"', '"}');
    await client.hears(chat("ana", "still here?"));
  });

  test("people hear each other come, speak and go", async (t) => {
    const ana = await enter(t, "ana");
    const ben = await enter(t, "ben");
    await ana.hears({ type: "user_joined", username: "ben" });

    ben.says({ type: "chat", content: "  Grüß dich 👋 \n" });
    await ana.hears(chat("ben", "Grüß dich 👋"));
    await ben.hears(chat("ben", "Grüß dich 👋"));
    await ben.leaves();
    await ana.hears({ type: "user_left", username: "ben" });
  });

  test("bad input is answered and not punished", async (t) => {
    const ana = await enter(t, "ana");

    for (const [message, sentence] of [
      ["hello", /JSON object/],
      ['{"type":"chat"', /not valid JSON/],
      [{ type: "shout" }, /^unknown variant `shout`, expected `chat` or `ping`/],
      [{ type: "chat" }, /content/],
      [{ type: "chat", content: " " }, /empty/],
      [{ type: "chat", content: "x".repeat(2001) }, /2001.*2000/],
      [Buffer.from("binary"), /binary/],
    ]) {
      ana.says(message);
      await ana.isToldOff(sentence);
    }

    ana.says({ type: "ping" });
    await ana.hears(PONG);
  });

  test("a taken name is closed with 4009", async (t) => {
    const ana = await enter(t, "ana");
    const second = await enter(t, "ana");

    await second.isClosed(4009, /name/);
    ana.says({ type: "ping" });
    await ana.hears(PONG);
    await ana.leaves();
  });
}

describe("lesson 06, JSON", LIMITS, () => {
  const lesson = serve("lesson_06_json");
  everyLessonWithJson((t, name = "ana") => lesson.connect(t, `/ws/${name}`), {});

  test("an impossible name is rejected with 400", async () => {
    await lesson.rejects("/ws/no%20spaces", 400, /a name has 1 to 20 letters/);
  });
});

describe("lesson 07, rooms", LIMITS, () => {
  const lesson = serve("lesson_07_rooms");
  const enter = (t, name = "ana", room = "rust") =>
    lesson.connect(t, `/ws/chat/${room}/${name}`);
  everyLessonWithJson(enter, { room: "rust" });

  test("rooms do not hear each other, and the list of rooms is exact", async (t) => {
    const rooms = async () => (await lesson.get("/rooms")).json();
    await eventually(rooms, []);
    const ana = await enter(t, "ana", "rust");
    const ben = await enter(t, "ben", "go");
    await eventually(rooms, [
      { room: "go", members: 1 },
      { room: "rust", members: 1 },
    ]);

    ana.says({ type: "chat", content: "hello, rust" });
    await ana.hears({ type: "chat", room: "rust", from: "ana", content: "hello, rust" });
    ben.says({ type: "ping" });
    await ben.hears(PONG);

    ben.drops();
    await eventually(rooms, [{ room: "rust", members: 1 }]);
    await ana.leaves();
    await eventually(rooms, []);
  });

  test("an impossible name is rejected with 400", async () => {
    await lesson.rejects("/ws/chat/rust/no%20spaces", 400, /a name has 1 to 20 letters/);
    await lesson.rejects("/ws/chat/a.b/ana", 400, /a name has 1 to 40 letters/);
  });
});

const OTHER_ORIGIN = /Pages of this origin may not connect/;

/** How people sign in and enter a room, in lesson 08 and wherever its code is in use. */
function signIn(lesson) {
  const PASSWORDS = { ana: "ana-likes-tea", ben: "ben-likes-jam" };
  const logIn = (username, password) =>
    lesson.get("/login", {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ username, password }),
    });
  const tokenOf = async (name) => (await (await logIn(name, PASSWORDS[name])).json()).token;
  const enter = async (t, name = "ana", { room = "rust", ...options } = {}) =>
    lesson.connect(t, `/ws/chat/${room}`, {
      protocols: ["chat.v1", `bearer.${await tokenOf(name)}`],
      ...options,
    });
  return { logIn, tokenOf, enter };
}

/** What lesson 08 promises, and the capstone keeps. Gives the way in. */
function everyLessonWithAuth(lesson, others = { room: "rust" }) {
  const { logIn, tokenOf, enter } = signIn(lesson);
  everyLessonWithJson(enter, others);

  test("a wrong name or password is rejected with 401", async () => {
    assert.equal((await logIn("ana", "ben-likes-jam")).status, 401);
    assert.equal((await logIn("eve", "eve-likes-keys")).status, 401);
  });

  test("the token may come in four ways", async (t) => {
    const token = await tokenOf("ana");
    for (const [path, options] of [
      [`/ws/chat/rust?token=${token}`, {}],
      ["/ws/chat/rust", { headers: { Authorization: `Bearer ${token}` } }],
      ["/ws/chat/rust", { headers: { Cookie: `${lesson.name}_token=${token}` } }],
      ["/ws/chat/rust", { protocols: ["chat.v1", `bearer.${token}`] }],
    ]) {
      const ana = await lesson.connect(t, path, options);
      assert.equal(ana.socket.protocol, options.protocols ? "chat.v1" : "");
      ana.says({ type: "ping" });
      await ana.hears(PONG);
      await ana.leaves();
    }
  });

  test("nobody comes in without a token, or from the page of another site", async () => {
    const token = await tokenOf("ana");
    const options = { origin: "http://evil.example" };

    await lesson.rejects("/ws/chat/rust", 401, /a token is missing/);
    await lesson.rejects(`/ws/chat/rust?token=${token}x`, 401, /not valid/);
    await lesson.rejects(`/ws/chat/rust?token=${token}`, 403, OTHER_ORIGIN, options);
  });

  return enter;
}

describe("lesson 08, auth", LIMITS, () => {
  everyLessonWithAuth(serve("lesson_08_auth"));
});

describe("lesson 22, the edge", LIMITS, () => {
  everyLessonWithAuth(serve("lesson_22_edge"));
});

/** What holds in a lesson that takes lesson 08's code. Gives the way in. */
function everyProductionLesson(lesson) {
  const { enter } = signIn(lesson);
  everyLesson(enter, async (_, client, say) => {
    await say('{"type":"chat","content":"', '"}');
    await client.hears({ type: "chat", from: "ana", content: "still here?", room: "rust" });
  });
  return enter;
}

describe("lesson 09, a heartbeat", LIMITS, () => {
  const enter = everyProductionLesson(serve("lesson_09_heartbeat"));

  test("who answers no ping is closed with 4010 after 30 seconds", async (t) => {
    const ana = await enter(t);
    const ben = await enter(t, "ben", { autoPong: false });
    await ana.hears({ type: "user_joined", username: "ben" });

    const start = performance.now();
    const [code, reason] = await once(ben.socket, "close");

    const seconds = (performance.now() - start) / 1000;
    assert.deepEqual([code, `${reason}`], [4010, "no sign of life"]);
    // Others are at work on this machine, too: it may be later, but not earlier.
    assert.ok(seconds > 28.5 && seconds < 36, `it took ${seconds} s`);
    await ana.hears({ type: "user_left", username: "ben" });
  });
});

describe("lesson 10, a rate limit", LIMITS, () => {
  const enter = everyProductionLesson(serve("lesson_10_rate_limit"));

  test("who says thirty things at once is told when to go on", async (t) => {
    const ana = await enter(t);

    for (let i = 0; i < 30; i += 1) ana.says("no JSON");
    for (let i = 0; i < 20; i += 1) await ana.isToldOff(/JSON|too many/);
    await ana.isToldOff(/JSON|too many messages: try again in 0.1 seconds/);
    await new Promise((resolve) => setTimeout(resolve, 500));

    ana.says({ type: "ping" });
    for (let i = 0; i < 9; i += 1) await ana.isToldOff(/JSON|too many/);
    await ana.hears(PONG);
  });
});

describe("lesson 11, connection limits", LIMITS, () => {
  const enter = everyProductionLesson(serve("lesson_11_connection_limits"));

  test("the sixth connection of a person is closed with 1008", async (t) => {
    for (const room of ["one", "two", "three", "four", "five"]) await enter(t, "ana", { room });

    const sixth = await enter(t, "ana", { room: "six" });

    await sixth.isClosed(1008, /^too many connections of yours$/);
  });
});

describe("lesson 12, slow clients", LIMITS, () => {
  everyProductionLesson(serve("lesson_12_slow_clients"));
});

describe("lesson 17, tasks", LIMITS, () => {
  const lesson = serve("lesson_17_tasks");
  const tokenOf = async (username) => {
    const answer = await lesson.get("/login", {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ username, password: "ana-likes-tea" }),
    });
    return (await answer.json()).token;
  };
  const ask = async (token, method, path, body) =>
    lesson.get(path, { method, body, headers: { Authorization: `Bearer ${token}` } });
  const enter = async (t, token) => {
    const protocols = ["chat.v1", `bearer.${token ?? (await tokenOf("ana"))}`];
    const client = await lesson.connect(t, "/ws/tasks", { protocols });
    await client.hears({ type: "tasks", tasks: [] });
    return client;
  };
  everyLesson(enter, async (_, client, say) => {
    await say('{"type":"', '"}');
    await client.isToldOff(/^This socket understands/);
  });

  test("long work is accepted, and its progress comes until it is cancelled", async (t) => {
    const token = await tokenOf("ana");
    const ana = await enter(t, token);

    const answer = await ask(token, "POST", "/tasks?seconds=60", "tea for two");

    assert.equal(answer.status, 202);
    assert.equal(answer.headers.get("location"), "/tasks/1");
    assert.equal((await ask(token, "DELETE", "/tasks/1")).status, 204);
    // How many messages come before it depends on who is faster.
    while ((await ana.hearsAny()).tasks[0].status !== "cancelled") {}
    assert.equal((await (await ask(token, "GET", "/tasks/1")).json()).status, "cancelled");
    assert.equal((await ask(token, "DELETE", "/tasks/1")).status, 204);
  });

  test("nobody connects without a token, or from the page of another site", async () => {
    const token = await tokenOf("ana");
    const options = { origin: "http://evil.example" };

    await lesson.rejects("/ws/tasks", 401, /a token is missing/);
    await lesson.rejects(`/ws/tasks?token=${token}`, 403, OTHER_ORIGIN, options);
  });
});

for (const name of ["lesson_13_shutdown", "lesson_24_capstone"]) {
  describe(`${name}, which shuts down gracefully`, LIMITS, () => {
    const lesson = serve(name);
    const isCapstone = name === "lesson_24_capstone";
    // In the capstone a chat has a number. No test has more than one chat.
    const others = { room: "rust", ...(isCapstone && { seq: 1 }) };
    const enter = isCapstone
      ? everyLessonWithAuth(lesson, others)
      : everyProductionLesson(lesson);

    for (const signal of ["SIGTERM", "SIGINT"]) {
      test(`after ${signal}, everybody hears the last words, and then 1001`, async (t) => {
        const ana = await enter(t, "ana");
        const ben = await enter(t, "ben");
        await ana.hears({ type: "user_joined", username: "ben" });
        const words = { type: "chat", from: "ben", content: "last words", ...others };
        ben.says({ type: "chat", content: "last words" });
        await ben.hears(words);

        const end = lesson.server.end(signal);

        await ana.hears(words);
        await ana.isClosed(1001, /^the server is stopping$/);
        await ben.isClosed(1001, /^the server is stopping$/);
        assert.equal(await soon(end, "the end"), 0, "the exit code");
      });
    }
  });
}

for (const name of ["lesson_16_channels", "lesson_24_capstone"]) {
  describe(`${name}, live data`, LIMITS, () => {
    const lesson = serve(name);
    const ask = async (token, method, path, body) =>
      lesson.get(`/api/v1${path}`, {
        method,
        headers: { Authorization: `Bearer ${token}`, "Content-Type": "application/json" },
        body: body && JSON.stringify(body),
      });
    const signIn = async () => {
      const reply = await lesson.get("/login", {
        method: "POST",
        headers: { "Content-Type": "application/json" },
        body: JSON.stringify({ username: "ana", password: "ana-likes-tea" }),
      });
      return (await reply.json()).token;
    };

    test("a change that is made over HTTP is heard over the socket", async (t) => {
      const token = await signIn();
      const path = "/api/v1/ws/users?client_id=ws";
      const ana = await lesson.connect(t, path, { protocols: ["chat.v1", `bearer.${token}`] });
      const channel = "users";
      const message = "Connected to channel: users";
      await ana.hears({ type: "connection", message, channel, client_id: "ws" });

      const dora = { name: "Dora", email: "dora@example.org", phone: null, is_active: true };
      const made = await ask(token, "POST", "/users", dora);
      assert.equal(made.status, 201);

      const data = await made.json();
      const { created_at } = data;
      assert.deepEqual(data, { id: 1, owner: "ana", ...dora, created_at });
      const version = Number(made.headers.get("x-version"));
      await ana.hears({ type: "created", model: "users", channel, version, data });
      const list = await ask(token, "GET", "/users/");
      assert.deepEqual(await list.json(), [data], "an array, and the slash does not matter");
      assert.equal(Number(list.headers.get("x-version")), version);
      const gone = await ask(token, "DELETE", "/users/1");
      assert.equal(gone.status, 204);
      const deleted = { type: "deleted", model: "users", channel, version: version + 1 };
      await ana.hears({ ...deleted, data: { id: 1 } });
      await ana.leaves();
    });

    test("a message reaches the subscribers of its channel", async (t) => {
      const protocols = ["chat.v1", `bearer.${await signIn()}`];
      const ana = await lesson.connect(t, "/api/v1/ws?client_id=ws", { protocols });
      const greeting = { type: "connection", message: "Connected", channel: null };
      await ana.hears({ ...greeting, client_id: "ws" });

      ana.says({ action: "send", channel: "users", message: "hello" });
      await ana.isToldOff(/^users takes no messages/);
      ana.says({ action: "subscribe", channel: "news" });
      await ana.hears({ type: "subscribed", channel: "news" });
      ana.says({ action: "send", channel: "news", message: "hello" });
      await ana.hears({ type: "message", channel: "news", message: "hello", from: "ana" });
    });

    test("an unknown channel is rejected with 404, and nobody comes in unknown", async () => {
      const token = await signIn();

      await lesson.rejects(`/api/v1/ws/cats?token=${token}`, 404, /unknown variant `cats`/);
      await lesson.rejects("/api/v1/ws/users", 401, /a token is missing/);
      const answer = await ask(token, "POST", "/users", { name: "Dora" });
      assert.equal(answer.status, 422);
      assert.deepEqual(await answer.json(), { message: "email is missing", field: "email" });
    });
  });
}
