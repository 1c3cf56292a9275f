// Coming back after a connection has ended: soon at first, then later and later.
//
// Each wait is a matter of chance (“full jitter”). A server that stops loses all its
// clients in one moment, and must not have them all back in one moment.

/** How long the first wait may be, in milliseconds. Each one may be twice as long. */
const FIRST_WAIT = 1000;

/** But never longer than this. */
const LONGEST_WAIT = 30_000;

/** Whoever was connected for so long waits like a beginner again. */
const STEADY = 10_000;

/** After these codes the next try would end like the last one, or nobody wants it. */
const FINAL = new Set([1000, 1008, 4001, 4009, 4011]);

/** After these codes the line is lost, and the server may not know it yet. */
const LOST = new Set([1006, 4010]);

/** The code for a name that is in use. */
const NAME_TAKEN = 4009;

/** For so long it may be our own name: the server takes half a minute to miss us. */
const GHOST = 45_000;

/**
 * Calls `connect` when it is time to try again. Until then, `tell` hears once a second
 * for how many milliseconds we still wait. When there is no sense in another try, it
 * calls `stay`.
 *
 * Let it `follow` each socket that you open.
 */
export function comeBack({ connect, tell, stay, random = Math.random }) {
  let tries = 0;
  let lost = -Infinity;
  let timer;

  function follow(socket) {
    stop();
    let opened = Infinity;

    socket.addEventListener("open", () => {
      opened = Date.now();
    });

    socket.addEventListener("close", plan, { once: true });

    function plan({ code }) {
      const now = Date.now();
      const isGhost = code === NAME_TAKEN && now - lost < GHOST;
      if (FINAL.has(code) && !isGhost) return stay();

      if (LOST.has(code) && opened <= now) lost = now;
      if (now - opened >= STEADY) tries = 0;
      const longest = Math.min(LONGEST_WAIT, FIRST_WAIT * 2 ** tries);
      tries += 1;
      wait(now + random() * longest);
    }
  }

  function wait(end) {
    const left = end - Date.now();
    if (left > 0) {
      tell(left);
      timer = setTimeout(wait, left % 1000 || 1000, end); // To the next full second.
    } else {
      connect();
    }
  }

  function stop() {
    clearTimeout(timer);
  }

  return { follow, stop };
}
