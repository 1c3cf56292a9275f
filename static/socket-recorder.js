// Records what the sockets of a page do, for servers without X-ray.
//
// A script sees messages and the end of a connection, and nothing below: no headers, no
// pings, no frames.

import { Rows } from "./wire-rows.js";
import { labelNow } from "./xray.js";

/** X-ray's own connection is not part of the conversation. */
const OWN = "/lab/xray";

let last = 0; // The number of the connection that was opened last, in whatever window.

/** What makes rows of events. It knows where the clients of this page connect. */
export function rowsOfPage() {
  const metas = (name) => [...document.querySelectorAll(`meta[name="${name}"]`)];
  const paths = (name) => metas(name).map(({ content }) => content);
  return new Rows(paths("websocket")[0], paths("websocket-part"));
}

/**
 * Replaces `WebSocket` in a window by a class that reports what its sockets do: `onRow`
 * gets a row of the wire view for each event. Sockets that exist already go on unseen.
 *
 * `label` is the name of the client. Without one, it is that of the cookie for X-ray, or what
 * the path says. `rows` are those that several windows have in common.
 *
 * Returns a function that puts the old class back.
 */
export function recordSockets(
  onRow,
  { window = globalThis, label, rows = rowsOfPage() } = {},
) {
  const { WebSocket } = window;

  function report(event) {
    onRow(rows.fromScript({ t: performance.now(), ...event }));
  }

  class RecordedSocket extends WebSocket {
    #report = () => {};

    constructor(url, protocols) {
      super(url, protocols);
      const { pathname, search } = new URL(this.url);
      if (pathname === OWN) return;

      const connection = (last += 1);
      this.#report = (event) => report({ connection, ...event });
      const name = label ?? labelNow();
      this.#report({ event: "connecting", path: pathname + search, label: name });

      this.addEventListener("open", () => this.#report({ event: "opened" }));

      this.addEventListener("message", ({ data }) => this.#message("received", data));

      this.addEventListener("close", ({ code, reason, wasClean, isTrusted }) => {
        if (!isTrusted) return; // A script says it, because it waits no longer.
        this.#report({ event: "closed", code, reason, isClean: wasClean });
      });
    }

    send(data) {
      super.send(data);
      if (this.readyState === WebSocket.OPEN) this.#message("sent", data);
    }

    close(code, reason) {
      const { readyState } = this;
      super.close(code, reason);
      if (readyState === WebSocket.OPEN) this.#report({ event: "closing", code, reason });
    }

    async #message(event, data) {
      const t = performance.now(); // Reading a Blob takes a while.
      if (data instanceof Blob) data = await data.arrayBuffer();
      if (ArrayBuffer.isView(data))
        data = data.buffer.slice(data.byteOffset, data.byteOffset + data.byteLength);
      this.#report({ t, event, data });
    }
  }

  window.WebSocket = RecordedSocket;
  return () => {
    if (window.WebSocket === RecordedSocket) window.WebSocket = WebSocket;
  };
}
