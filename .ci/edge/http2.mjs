// Tries a WebSocket over HTTP/2 (RFC 8441) at a server with TLS, and prints as JSON whether the
// server says that it knows extended CONNECT, and what it answered to one.
//
//     http2.mjs PORT CERTIFICATE PATH

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { connect } from "node:http2";

const [port, certificate, path] = process.argv.slice(2);
/** `{"type":"ping"}` as a client sends it, with a mask of zeros. */
const text = Buffer.from('{"type":"ping"}');
const PING = Buffer.concat([Buffer.from([0x81, 0x80 | text.length, 0, 0, 0, 0]), text]);

setTimeout(() => assert.fail("no answer within ten seconds"), 10_000).unref();

const session = connect(`https://localhost:${port}`, { ca: readFileSync(certificate) });
const settings = await new Promise((resolve, reject) =>
  session.once("remoteSettings", resolve).once("error", reject),
);
const said = { connect: Boolean(settings.enableConnectProtocol), status: null, answer: null };
if (said.connect) {
  const stream = session.request(
    {
      ":method": "CONNECT",
      ":protocol": "websocket",
      ":scheme": "https",
      ":authority": `localhost:${port}`,
      ":path": path,
      origin: `https://localhost:${port}`,
      "sec-websocket-version": "13",
    },
    { endStream: false },
  );
  said.status = (await new Promise((resolve) => stream.once("response", resolve)))[":status"];
  if (said.status === 200) {
    stream.write(PING);
    const frame = await new Promise((resolve) => stream.once("data", resolve));
    said.answer = frame.subarray(2).toString();
  }
}
console.log(JSON.stringify(said));
process.exit();
