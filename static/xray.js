// X-ray: what the server reports about the connections of this browser.
//
// A debug build that listens on this computer alone can see what scripts cannot: the
// upgrade, the frames with their headers, pings and pongs, the end of the TCP connection.
// It shows a page those connections whose handshake had the page's own cookie.

import { reconnect } from "./reconnect.js";

/** The code for a viewer whose place a newer one has got. It does not come back. */
const REPLACED = 1008;

let own = ""; // Who has signed in on this page.

/**
 * Gives the connections that this page opens from now on the name of who has signed in.
 * Returns the name that they had.
 */
export function nameSockets(name) {
  const before = own;
  own = name;
  if (hasCookie()) mark(); // For those that a worker opens.
  return before;
}

const hasCookie = () => /(?:^|; )xray=/.test(document.cookie);

/**
 * Puts the cookie for X-ray on this page. The `label` becomes the name of the connections
 * that are opened from now on. A token that is there stays: all tabs have the same.
 */
export function mark(label = own) {
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
  return own || (/(?:^|; )xray=[\da-f]{32}\.([^;]*)/.exec(document.cookie)?.[1] ?? "");
}

function newToken() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

/**
 * Follows the rows of X-ray. `onRows` gets a list of them. `onState` gets "connecting",
 * "open", "lost", "replaced" by another viewer, and "restarted" when the rows that follow are
 * those of a new server, whose clock and whose connections begin anew. Returns a function
 * that ends it.
 *
 * `seen` is what the last one saw, for a viewer that goes on: it gets no row again.
 */
export function watchXray({ server = "", onRows, onState = () => {}, seen = {} }) {
  let socket;
  const again = reconnect({ connect, onWait() {}, onGiveUp() {} });

  function connect() {
    onState("connecting");
    if (!hasCookie()) mark();
    socket = new WebSocket(`${server}/lab/xray`);
    again.follow(socket);

    socket.addEventListener("open", () => onState("open"));

    socket.addEventListener("message", ({ data }) => {
      const rows = JSON.parse(data);
      if (rows[0].kind === "program") begin(rows.shift().id);
      const fresh = rows.filter(({ row }) => row > seen.row);
      if (fresh.length === 0) return;
      seen.row = fresh.at(-1).row;
      onRows(fresh);
    });

    const told = ({ code }) => onState(code === REPLACED ? "replaced" : "lost");
    socket.addEventListener("close", told, { once: true });
  }

  /** A server tells first which program it is. The rows of each have numbers that rise. */
  function begin(program) {
    if (program === seen.program) return;
    if (seen.program) onState("restarted");
    Object.assign(seen, { program, row: 0 });
  }

  connect();
  return () => {
    again.stop(); // It also closes a connection that opens later.
    if (socket.readyState === WebSocket.OPEN) socket.close(1000);
  };
}

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
