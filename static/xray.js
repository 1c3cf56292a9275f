// X-ray: what the server reports about the connections of this browser.
//
// A debug build that listens on this computer alone can see what scripts cannot: the
// upgrade, the frames with their headers, pings and pongs, the end of the TCP connection.
// It shows a page those connections whose handshake had the page's own cookie.

import { reconnect } from "./reconnect.js";

/** How many rows we remember, so that none is shown twice: as many as a server keeps. */
const HISTORY = 1_000;

/**
 * Puts the cookie for X-ray on this page. The `label` becomes the name of the connections
 * that are opened from now on. A token that is there stays: all tabs have the same.
 */
export function mark(label = "") {
  const [, token = newToken()] =
    /(?:^|; )xray=([\da-f]{32})\./.exec(document.cookie) ?? [];
  const name = label.replace(/[^\p{L}\p{N}_-]/gu, "").slice(0, 20);
  document.cookie = `xray=${token}.${name}; path=/; SameSite=Strict`;
  // Reading it back waits until it is written. A WebSocket that is opened at once would
  // otherwise be sent with the cookie of before, or with none.
  void document.cookie;
}

/** The label that a connection gets if it is opened now. */
export function labelNow() {
  return /(?:^|; )xray=[\da-f]{32}\.([^;]*)/.exec(document.cookie)?.[1] ?? "";
}

function newToken() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** Whether the server has X-ray. A server without the lab has none. */
export async function hasXray(server = "") {
  try {
    const answer = await fetch(`${server}/lab.json`, { credentials: "omit" });
    return answer.ok && (await answer.json()).xray === true;
  } catch {
    return false;
  }
}

/**
 * Follows the rows of X-ray. `onRows` gets a list of them. `onState` gets "connecting",
 * "open", "lost", and "restarted" when the rows that follow are those of a new server,
 * whose clock and whose connections begin anew. Returns a function that ends it.
 */
export function watchXray({ server = "", onRows, onState = () => {} }) {
  const seen = new Set();
  let socket;
  const again = reconnect({ connect, onWait() {}, onGiveUp() {} });

  function connect() {
    onState("connecting");
    if (!/(?:^|; )xray=/.test(document.cookie)) mark();
    socket = new WebSocket(`${server}/lab/xray`);
    again.follow(socket);
    let isFirst = seen.size > 0; // Of a connection that is not our first one.

    socket.addEventListener("open", () => onState("open"));

    socket.addEventListener("message", ({ data }) => {
      const rows = JSON.parse(data);
      const fresh = rows.filter((row) => !seen.has(key(row)));
      if (isFirst && fresh.length === rows.length) {
        seen.clear();
        onState("restarted");
      }
      isFirst = false;
      for (const row of rows) remember(key(row));
      if (fresh.length > 0) onRows(fresh);
    });

    socket.addEventListener("close", () => onState("lost"), { once: true });
  }

  function remember(key) {
    seen.delete(key);
    seen.add(key);
    if (seen.size <= HISTORY) return;
    const [oldest] = seen;
    seen.delete(oldest);
  }

  connect();
  return () => {
    again.stop(); // It also closes a connection that opens later.
    if (socket.readyState === WebSocket.OPEN) socket.close(1000);
  };
}

/** A server's clock has microseconds, so this names a row of one server. */
const key = ({ t, connection, from, kind }) => `${t} ${connection} ${from} ${kind}`;

let last = Promise.resolve();

/**
 * Opens a connection under a label: `open` returns the socket. Resolves to it.
 *
 * There is one cookie for all, and the browser reads it a moment after `open`. So those who
 * connect at the same time wait for one another, or their labels would be mixed up.
 */
export function connecting(label, open) {
  const opened = last.then(async () => {
    mark(label);
    const socket = await open();
    await new Promise((resolve) => {
      for (const event of ["open", "close"])
        socket.addEventListener(event, resolve, { once: true });
      if (socket.readyState !== WebSocket.CONNECTING) resolve();
    });
    return socket;
  });
  last = opened.catch(() => {}); // Who asked is told. The next one goes on.
  return opened;
}
