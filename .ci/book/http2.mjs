#!/usr/bin/env node
// Opens a WebSocket over HTTP/2 at /ws of a server (RFC 8441), and expects a status. After
// 200 it sends a text, and expects it back.
//
//     .ci/book/http2.mjs http://127.0.0.1:8000 200

import assert from "node:assert/strict";
import { connect } from "node:http2";

const [url, status] = process.argv.slice(2);
/** "hi" as a client sends it, with a mask of zeros, and "Echo: hi" from the server. */
const HI = Buffer.from([0x81, 0x82, 0, 0, 0, 0, ...Buffer.from("hi")]);
const ECHO = Buffer.from([0x81, 8, ...Buffer.from("Echo: hi")]);

setTimeout(() => assert.fail(`${url} does not answer`), 10_000).unref();

/** A connection, and what the server says about itself. It may be starting up yet. */
async function session() {
  for (;;) {
    const session = connect(url);
    const settings = await new Promise((resolve) => {
      session.once("remoteSettings", resolve).once("error", () => resolve(undefined));
    });
    if (settings) return [session, settings];
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

const [http2, { enableConnectProtocol }] = await session();
assert.ok(enableConnectProtocol, "the server should say that it knows extended CONNECT");
const stream = http2.request(
  {
    ":method": "CONNECT",
    ":protocol": "websocket",
    ":scheme": "http",
    ":path": "/ws",
    "sec-websocket-version": "13",
  },
  { endStream: false },
);
const headers = await new Promise((resolve) => stream.once("response", resolve));
assert.equal(headers[":status"], Number(status), "the answer to an extended CONNECT");
if (headers[":status"] === 200) {
  stream.write(HI);
  const frame = await new Promise((resolve) => stream.once("data", resolve));
  assert.deepEqual(frame, ECHO, "the server echoes a text");
}
console.log(`An extended CONNECT gets ${status}.`);
process.exit();
