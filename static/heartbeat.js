// A heartbeat, the browser's half.
//
// The browser answers the server's pings by itself, and tells no script of them. So a
// page that wants to know whether its server is there has to ask in its own words.

/** How long the server may be silent before we ask whether it is there. */
const PING_AFTER = 20_000;

/** How long the answer may take. Then the server counts as gone. */
const PONG_WITHIN = 10_000;

/**
 * Watches a new socket for as long as it lives, and calls `heard` at each sign of life.
 * `ping` is the question that this server answers.
 *
 * When the server gives none, it closes the socket, and does not wait for the answer: the
 * page gets its `close` at once, with 4010. A second one follows when the browser lets go
 * of the line, so listen for `close` with `{ once: true }`. Whoever has closed the socket
 * already gets the end that they wanted, with 1000: only the answer is missing.
 *
 * In a hidden tab a timer may come a minute late. That is why no step looks at the
 * clock: however late we ask, the answer has its whole time. A message is never held
 * back, and stops the timer. So a late timer makes us slow to notice, and never wrong.
 */
export function keepAlive(socket, heard = () => {}, ping = { type: "ping" }) {
  let timer;
  const isOpen = () => socket.readyState === WebSocket.OPEN;

  function rest() {
    if (!isOpen()) return; // It comes too late.

    clearTimeout(timer);
    timer = setTimeout(ask, PING_AFTER);
    heard();
  }

  function ask() {
    if (isOpen()) socket.send(JSON.stringify(ping));
    timer = setTimeout(giveUp, PONG_WITHIN);
  }

  function giveUp() {
    const ending = isOpen()
      ? { code: 4010, reason: "The server has gone silent." }
      : { code: 1000, reason: "" };
    socket.close(ending.code, ending.reason);
    socket.dispatchEvent(new CloseEvent("close", ending));
  }

  socket.addEventListener("open", rest);
  socket.addEventListener("message", rest); // Whatever it says, it is there.
  socket.addEventListener("close", () => clearTimeout(timer));
}
