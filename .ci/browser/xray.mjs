// Rows as X-ray reports them, made up: what a server would say of a conversation.

import { createHash } from "node:crypto";

const GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/** A conversation that goes on: each call returns the rows of one event. */
export class Conversation {
  #t = 8;
  #connections = 0;
  #messages = 0;

  /** Lets milliseconds pass. */
  wait(ms) {
    this.#t += ms;
    return this;
  }

  #row(connection, from, fields) {
    this.#t = Math.round((this.#t + 0.1) * 1000) / 1000;
    return { t: this.#t, connection, from, ...fields };
  }

  connect(label, path, { status = 101, body } = {}) {
    const connection = (this.#connections += 1);
    const key = "dGhlIHNhbXBsZSBub25jZQ==";
    const accept = createHash("sha1")
      .update(key + GUID)
      .digest("base64");
    const head = [
      `GET ${path} HTTP/1.1`,
      "Host: 127.0.0.1:8000",
      "Connection: Upgrade",
      "Upgrade: websocket",
      "Origin: http://127.0.0.1:8000",
      "Sec-WebSocket-Version: 13",
      "Cookie: ●●●",
      `Sec-WebSocket-Key: ${key}`,
      "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits",
    ];
    const answer =
      status === 101
        ? [
            "HTTP/1.1 101 Switching Protocols",
            "connection: upgrade",
            "upgrade: websocket",
            `sec-websocket-accept: ${accept}`,
          ]
        : [`HTTP/1.1 ${status} Conflict`, `content-length: ${body.length}`];
    const peer = `127.0.0.1:${47_073 + connection}`;
    const opened = this.#row(connection, "client", {
      kind: "tcp",
      what: "open",
      peer,
      earlier: ["GET /lab.json HTTP/1.1"],
    });
    const request = { kind: "request", bytes: 534, label, path, head };
    const response = {
      kind: "response",
      bytes: 166,
      status,
      took: 0.285,
      head: answer,
      body,
    };
    return [
      opened,
      this.#row(connection, "client", request),
      this.#row(connection, "server", response),
    ];
  }

  frame(connection, from, opcode, payload, { fin = true, part = 1, ...more } = {}) {
    const bytes = Buffer.from(payload);
    const mask = from === "client" ? "f8dd4d6f" : undefined;
    if (opcode !== 0 && opcode < 8) this.#messages += 1;
    const len = more.len ?? bytes.length;
    const row = {
      kind: "frame",
      fin,
      rsv: 0,
      opcode,
      mask,
      len,
      header: header(fin, opcode, len, mask),
      data: bytes.subarray(0, 4096).toString("hex"),
      ...(opcode < 8 ? { message: this.#messages, part } : {}),
      ...more,
    };
    return [this.#row(connection, from, row)];
  }

  says(connection, text) {
    return this.frame(connection, "client", 1, text);
  }

  hears(connection, text) {
    return this.frame(connection, "server", 1, text);
  }

  close(connection, from, code, reason = "") {
    const payload = code ? [code >> 8, code & 255, ...Buffer.from(reason)] : [];
    return this.frame(connection, from, 8, payload);
  }

  gone(connection, first = "server") {
    const fields = { received: 622, sent: 919, lasted: 2510.2, first };
    return [this.#row(connection, "server", { kind: "tcp", what: "gone", ...fields })];
  }

  tcp(connection, what) {
    return [this.#row(connection, "client", { kind: "tcp", what })];
  }
}

function header(fin, opcode, len, mask = "") {
  const bit = mask ? 128 : 0;
  const bytes = [(fin ? 128 : 0) | opcode];
  if (len < 126) bytes.push(bit | len);
  else if (len < 65_536) bytes.push(bit | 126, len >> 8, len & 255);
  else
    bytes.push(
      bit | 127,
      0,
      0,
      0,
      0,
      len >>> 24,
      (len >> 16) & 255,
      (len >> 8) & 255,
      len & 255,
    );
  return Buffer.from(bytes).toString("hex") + mask;
}

/** Ana, Ben and Cem in a room: 42 rows with a bit of everything. */
export function threePeople() {
  const talk = new Conversation();
  const rows = [];
  const all = (text) => [1, 2, 3].forEach((who) => rows.push(...talk.hears(who, text)));
  const chat = (from, content) =>
    all(
      JSON.stringify({
        type: "chat",
        room: "rust",
        from,
        content,
        timestamp: "2026-11-26T15:00:00.123Z",
      }),
    );

  rows.push(...talk.connect("ana", "/ws/chat/rust/ana"));
  rows.push(...talk.wait(200).connect("ben", "/ws/chat/rust/ben"));
  rows.push(...talk.hears(1, '{"type":"user_joined","username":"ben"}'));
  rows.push(...talk.wait(180).connect("cem", "/ws/chat/rust/cem"));
  rows.push(...talk.hears(1, '{"type":"user_joined","username":"cem"}'));
  rows.push(...talk.hears(2, '{"type":"user_joined","username":"cem"}'));
  rows.push(...talk.wait(569).says(1, '{"type":"chat","content":"Hello, everybody!"}'));
  chat("ana", "Hello, everybody!");
  rows.push(
    ...talk.wait(350).says(2, '{"type":"chat","content":"Hi, Ana. Grüße aus Köln ☕"}'),
  );
  chat("ben", "Hi, Ana. Grüße aus Köln ☕");
  rows.push(...talk.wait(250).says(3, '{"type":"ping"}'));
  rows.push(...talk.hears(3, '{"type":"pong"}'));
  rows.push(...talk.wait(120).says(3, '{"type":"chat","content":'));
  rows.push(
    ...talk.hears(
      3,
      '{"type":"error","message":"this is not valid JSON: EOF while parsing"}',
    ),
  );
  rows.push(...talk.wait(200).frame(2, "client", 2, [0, 0x7f, 0x80, 0xff]));
  rows.push(
    ...talk.hears(2, '{"type":"error","message":"this server reads text, not binary"}'),
  );
  rows.push(...talk.wait(300).frame(1, "server", 9, ""));
  rows.push(...talk.frame(1, "client", 10, "", { rtt: 0.378 }));
  rows.push(
    ...talk.wait(200).frame(3, "client", 1, '{"type":"chat","con', { fin: false }),
  );
  rows.push(...talk.frame(3, "client", 0, 'tent":"in two parts"}', { part: 2 }));
  chat("cem", "in two parts");
  rows.push(...talk.wait(628).close(2, "client", 1000, "dinner"));
  rows.push(...talk.close(2, "server", 1000, "dinner"), ...talk.gone(2));
  rows.push(...talk.hears(1, '{"type":"user_left","username":"ben"}'));
  rows.push(...talk.hears(3, '{"type":"user_left","username":"ben"}'));
  rows.push(
    ...talk
      .wait(100)
      .connect("eve", "/ws/chat/rust/ana", { status: 409, body: "This name is taken." }),
  );
  rows.push(...talk.gone(4, "client"));
  rows.push(
    ...talk.wait(200).close(1, "client"),
    ...talk.close(1, "server"),
    ...talk.gone(1),
  );
  rows.push(...talk.hears(3, '{"type":"user_left","username":"ana"}'));
  rows.push(...talk.wait(100).close(3, "server", 4008, "too slow"));
  rows.push(...talk.close(3, "client", 4008, "too slow"), ...talk.gone(3));
  return rows;
}
