// Connecting again after a connection has ended: soon at first, then later and later.
//
// Each wait is random (exponential backoff with “full jitter”). A server that stops loses
// all its clients in one moment, and must not have them all back in one moment.

/** How long the first wait may be, in milliseconds. Each one may be twice as long. */
const FIRST_WAIT = 1000;

/** But never longer than this. */
const LONGEST_WAIT = 30_000;

/** After a connection that has lasted so long, the waits begin anew. */
const STABLE_AFTER = 10_000;

/** After these codes the next try would end in the same way, or nobody wants it. */
const FINAL = new Set([1000, 1008, 4001, 4009, 4011]);

/** After these codes the connection is lost, and the server may not know it yet. */
const LOST = new Set([1006, 4010]);

/** The codes for a name that is in use, and for too many connections of one person. */
const TAKEN = new Set([4009, 1008]);

/** For so long the lost connection may still count: the server notices late. */
const STALE_FOR = 45_000;

/**
 * Calls `connect` when it is time for the next try. Until then, `onWait` is called once a
 * second with the milliseconds that are left. When another try would not help, `onGiveUp`
 * is called: after a code in `final`. A code in `taken` is not final while the server may
 * not know yet that a connection of ours is lost.
 *
 * Call `follow` with each socket that you open, before you listen to it yourself. `restart`
 * makes the waits short again, for instance when the network is back. `stop` also ends a try
 * that is under way: the page gets its `close` at once, as if the try had failed. A second
 * `close` may follow, so listen for it with `{ once: true }`.
 */
export function reconnect({
  connect,
  onWait,
  onGiveUp,
  final = FINAL,
  taken = TAKEN,
  random = Math.random,
}) {
  let tries = 0;
  let lost = -Infinity;
  let timer;
  let followed;

  function follow(socket) {
    stop();
    followed = socket;
    let opened = Infinity;

    socket.addEventListener("open", (event) => {
      opened = Date.now();
      if (socket === followed) return;

      event.stopImmediatePropagation(); // It comes too late.
      socket.close(1000);
    });

    socket.addEventListener("close", onClose, { once: true });

    function onClose({ code }) {
      if (socket !== followed) return; // Nobody wants another try.

      const now = Date.now();
      const isOurs = taken.has(code) && now - lost < STALE_FOR;
      if (final.has(code) && !isOurs) return onGiveUp();

      if (LOST.has(code) && opened <= now) lost = now;
      if (now - opened >= STABLE_AFTER) tries = 0;
      plan();
    }
  }

  function plan() {
    const longest = Math.min(LONGEST_WAIT, FIRST_WAIT * 2 ** tries);
    tries += 1;
    wait(Date.now() + random() * longest);
  }

  function wait(end) {
    const left = end - Date.now();
    if (left > 0) {
      onWait(left);
      timer = setTimeout(wait, left % 1000 || 1000, end); // To the next full second.
    } else {
      timer = undefined;
      connect();
    }
  }

  /** Random as always: a network that is back brings all its clients back. */
  function restart() {
    if (timer === undefined) return; // Nobody waits.

    clearTimeout(timer);
    tries = 0;
    plan();
  }

  function stop() {
    clearTimeout(timer);
    timer = undefined;
    const last = followed;
    followed = null;
    // The browser logs an error when a script closes a socket that is not open yet. So we
    // only tell the page that the try has failed.
    if (last?.readyState === WebSocket.CONNECTING)
      last.dispatchEvent(new CloseEvent("close", { code: 1006 }));
  }

  return { follow, restart, stop };
}
