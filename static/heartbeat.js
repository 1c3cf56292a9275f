// A heartbeat, the browser's half.
//
// The browser answers the server's pings by itself, and no script is told. So a page that
// wants to know whether its server is still there has to send pings of its own, as
// messages.

/** How long the server may send nothing before we send a ping, in milliseconds. */
const PING_INTERVAL = 20_000;

/** How long the answer may take. Then the connection counts as lost. */
const PONG_TIMEOUT = 10_000;

/**
 * Looks after a new socket until it closes, and calls `onAlive` whenever the server has sent
 * something. `ping` is the message that this server answers.
 *
 * When there is no answer, it closes the socket, and does not wait for the closing
 * handshake: the page gets its `close` at once, with 4010. A second one follows when the
 * browser stops waiting, too, so listen for `close` with `{ once: true }`. If the page has
 * closed the socket already, and only the answer is missing, the code is its own 1000.
 *
 * In a hidden tab a timer may come a minute late. That is why no step looks at the
 * clock: however late we send a ping, the answer has its whole time. Messages are never
 * delayed like that, and each one stops the timer. So a late timer makes us slow to notice
 * that the server is gone, and never wrong.
 */
export function keepAlive(socket, onAlive = () => {}, ping = { type: "ping" }) {
  let timer;
  const isOpen = () => socket.readyState === WebSocket.OPEN;

  function restart() {
    if (!isOpen()) return; // It comes too late.

    clearTimeout(timer);
    timer = setTimeout(sendPing, PING_INTERVAL);
    onAlive();
  }

  function sendPing() {
    if (isOpen()) socket.send(JSON.stringify(ping));
    timer = setTimeout(disconnect, PONG_TIMEOUT);
  }

  function disconnect() {
    const close = isOpen()
      ? { code: 4010, reason: "The server no longer answers." }
      : { code: 1000, reason: "" };
    socket.close(close.code, close.reason);
    socket.dispatchEvent(new CloseEvent("close", close));
  }

  restart(); // It may be open already.
  socket.addEventListener("open", restart);
  socket.addEventListener("message", restart); // Any message shows that it is there.
  socket.addEventListener("close", () => clearTimeout(timer));
}
