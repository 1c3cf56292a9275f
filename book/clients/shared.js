// One table for a whole page, however many of its components show it.

import { subscribe } from "./live.js";

/**
 * The table behind a channel. The first subscriber opens the socket, and when the last one
 * has left, it is closed.
 */
export function shared(channel) {
  const CONNECTING = { state: "connecting", rows: [] };
  const listeners = new Set();
  let table = CONNECTING;
  let stop;

  const set = (now) => {
    table = now;
    for (const listener of listeners) listener();
  };
  const start = () => {
    stop = subscribe(channel, set);
  };
  const end = () => {
    stop();
    set(CONNECTING); // What we had grows old from now on.
  };

  return {
    /** The table as it is now. It is the same object until something changes. */
    read: () => table,

    /** Calls `listener` after each change. Returns what ends that. */
    subscribe(listener) {
      listeners.add(listener);
      if (listeners.size === 1) start();
      return () => {
        if (listeners.delete(listener) && listeners.size === 0) end();
      };
    },

    /** For somebody who has signed in again. */
    restart() {
      if (listeners.size === 0) return; // Nobody shows it any more.

      end();
      start();
    },
  };
}
