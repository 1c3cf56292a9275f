// What the pages "Choosing" and "Binary messages and compression" say of browsers, tried in
// Chromium.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer } from "node:http";
import { createSecureServer } from "node:http2";
import { tmpdir } from "node:os";
import { test } from "node:test";
import { gzipSync } from "node:zlib";

import { openWindow, useBrowser } from "../browser/browser.mjs";
import { start } from "../browser/server.mjs";

useBrowser();

/** Lets a server listen on a free port until the test `t` is over. */
async function listen(t, server) {
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  t.after(() => {
    server.closeAllConnections?.(); // An event stream does not end by itself.
    server.close();
  });
  return server.address().port;
}

test("over HTTP/1.1, a seventh event stream has to wait", { timeout: 60_000 }, async (t) => {
  const server = createServer(({ url }, response) => {
    if (url !== "/events") return response.end("<title>a page</title>");
    response.writeHead(200, { "Content-Type": "text/event-stream" }).write("data: hello\n\n");
  });
  const port = await listen(t, server);
  const url = `http://127.0.0.1:${port}/`;
  // The streams end with the server, and the browser says so.
  const page = await openWindow(t, url, { excused: [/ERR_/] });

  const [streams, request] = await page.evaluate(async () => {
    globalThis.streams = Array.from({ length: 10 }, () => new EventSource("/events"));
    const pause = (time) => new Promise((resolve) => setTimeout(resolve, time));
    const count = () => globalThis.streams.filter(({ readyState }) => readyState === 1).length;
    for (let i = 0; i < 200 && count() < 6; i += 1) await pause(50);
    await pause(2_000); // A seventh would have opened by now.
    const open = count();
    const answer = await fetch("/", { signal: AbortSignal.timeout(1_000) }).then(
      () => "answered",
      ({ name }) => name,
    );
    return [open, answer];
  });

  assert.equal(streams, 6, "six connections to one host, and no more");
  assert.equal(request, "TimeoutError", "an ordinary request waits as well");
});

test("WebSockets are not counted among these six", { timeout: 60_000 }, async (t) => {
  const lesson = await start("lesson_01_echo");
  t.after(() => lesson.stop());
  const page = await openWindow(t, `${lesson.url}/`);

  const status = await page.evaluate(async () => {
    globalThis.sockets = Array.from({ length: 50 }, () => new WebSocket("/ws"));
    const opens = (socket) => new Promise((resolve) => socket.addEventListener("open", resolve));
    await Promise.all(globalThis.sockets.map(opens));
    return fetch("/", { signal: AbortSignal.timeout(5_000) }).then(({ status }) => status);
  });

  assert.equal(status, 200, "50 WebSockets are open, and a request is answered");
});

test("bytes are a Blob, or an ArrayBuffer if one says so", { timeout: 60_000 }, async (t) => {
  const lesson = await start("lesson_01_echo");
  t.after(() => lesson.stop());
  const page = await openWindow(t, `${lesson.url}/`);

  const kinds = await page.evaluate(async () => {
    const kinds = [];
    for (const type of [undefined, "arraybuffer"]) {
      const socket = new WebSocket("/ws");
      if (type) socket.binaryType = type;
      await new Promise((resolve) => socket.addEventListener("open", resolve));
      for (const sent of [new Uint8Array([1, 2]), new Blob(["hi"]), "hi"]) {
        socket.send(sent);
        const { data } = await new Promise((resolve) => {
          socket.addEventListener("message", resolve, { once: true });
        });
        kinds.push(data.constructor.name);
      }
    }
    return kinds;
  });

  const expected = ["Blob", "Blob", "String", "ArrayBuffer", "ArrayBuffer", "String"];
  assert.deepEqual(kinds, expected, "the kind of what comes back");
});

test("a browser offers compression, and can unpack gzip", { timeout: 60_000 }, async (t) => {
  let offered;
  const server = createServer((_, response) => response.end("<title>a page</title>"));
  server.on("upgrade", ({ headers }, socket) => {
    offered = headers["sec-websocket-extensions"];
    socket.end("HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n");
  });
  const port = await listen(t, server);
  const excused = [/Unexpected response code/];
  const page = await openWindow(t, `http://127.0.0.1:${port}/`, { excused });

  const unpacked = await page.evaluate(async (packed) => {
    const socket = new WebSocket("/ws");
    await new Promise((resolve) => socket.addEventListener("close", resolve));
    const stream = new Blob([new Uint8Array(packed)]).stream();
    return new Response(stream.pipeThrough(new DecompressionStream("gzip"))).text();
  }, [...gzipSync("hello")]);

  assert.match(offered, /^permessage-deflate/, "what Chromium offers in a handshake");
  assert.equal(unpacked, "hello", "what gzip has packed");
});

/** A key and a certificate that nobody knows, for one test. */
function certificate(t) {
  const folder = mkdtempSync(`${tmpdir()}/browsers-`);
  t.after(() => rmSync(folder, { recursive: true }));
  const files = ["-keyout", `${folder}/key.pem`, "-out", `${folder}/cert.pem`];
  const request = "req -x509 -newkey rsa:2048 -nodes -days 1 -subj /CN=127.0.0.1";
  execFileSync("openssl", [...request.split(" "), ...files], { stdio: "ignore" });
  return { key: readFileSync(files[1]), cert: readFileSync(files[3]) };
}

for (const [enableConnectProtocol, expected] of [
  [true, ["GET over HTTP/2", "CONNECT websocket over HTTP/2"]],
  [false, ["GET over HTTP/2", "GET websocket over HTTP/1.1"]],
]) {
  const says = enableConnectProtocol ? "knows" : "does not know";
  const name = `a WebSocket beside a page over HTTP/2, if the server ${says} extended CONNECT`;
  test(name, { timeout: 60_000 }, async (t) => {
    const requests = [];
    const settings = { enableConnectProtocol };
    const server = createSecureServer({ ...certificate(t), settings, allowHTTP1: true });
    server.on("stream", (stream, headers) => {
      const kind = [headers[":method"], headers[":protocol"]].filter(Boolean).join(" ");
      requests.push(`${kind} over HTTP/2`);
      stream.respond({ ":status": 200, "content-type": "text/html" });
      if (kind === "GET") stream.end("<title>a page</title>");
    });
    server.on("upgrade", ({ method, headers }, socket) => {
      requests.push(`${method} ${headers.upgrade} over HTTP/1.1`);
      socket.destroy();
    });
    const port = await listen(t, server);
    const page = await openWindow(t, `https://127.0.0.1:${port}/`, {
      ignoreHTTPSErrors: true,
      excused: [/ERR_/, /closed before/], // The server ends before the page.
    });

    const opened = await page.evaluate(
      () =>
        new Promise((resolve) => {
          const socket = new WebSocket("/ws");
          socket.addEventListener("open", () => resolve(true));
          socket.addEventListener("close", () => resolve(false));
        }),
    );

    assert.deepEqual(requests, expected, "the page, then the WebSocket");
    assert.equal(opened, enableConnectProtocol, "only the stream is answered here");
  });
}
