// The drawer: what goes over the sockets of this page, beside the page.
//
// If the server has X-ray, it remembers what happened before somebody looked. If it has
// none, we record what the sockets do, from the first one on. So this has to run before the
// scripts that open sockets.

import { make } from "./elements.js";
import { recordSockets } from "./socket-recorder.js";
import { withStorage } from "./storage.js";
import { WireLog } from "./wire-log.js";
import { mark } from "./xray.js";

/** Where this window remembers that the drawer is open. */
const KEY = "wire";

const NOT_LOADED =
  "The wire view could not be loaded: no server answers. Start it, and open this again.";

/** Adds a button to the bar, which opens the drawer and closes it. */
export function addDrawer(bar) {
  const hasXray = "xray" in bar.dataset;
  const drawer = make("aside", { id: "wire", ariaLabel: "Wire", tabIndex: -1, hidden: true });
  const button = make("button", { type: "button", ariaExpanded: "false" }, "Wire");
  button.setAttribute("aria-controls", drawer.id);
  bar.append(button);
  bar.after(drawer);

  let view;
  let loading;
  let stop; // Ends the viewer of X-ray: a server has places for a few.
  let tries = 0;
  const early = new WireLog(); // Until somebody opens the drawer. Then the view keeps them.
  if (hasXray) markSockets();
  else recordSockets(keep);

  function keep(row) {
    if (view) return view.add([row]);
    early.add(row);
  }

  async function load() {
    // A browser does not ask again for a module that it could not load.
    tries += 1;
    await import(tries === 1 ? "./wire-view.js" : `./wire-view.js?try=${tries}`);
    view = make("wire-view");
    drawer.replaceChildren(view);
    if (!hasXray) view.add(early.entries.map(({ row }) => row));
    early.clear();
  }

  async function show() {
    try {
      await (loading ??= load());
    } catch {
      loading = undefined;
      drawer.replaceChildren(make("p", { role: "status" }, NOT_LOADED));
      return;
    }
    if (hasXray && !drawer.hidden) stop ??= view.xray();
  }

  function open() {
    drawer.hidden = false;
    button.ariaExpanded = "true";
    withStorage((storage) => storage.setItem(KEY, "open"), "sessionStorage");
    show();
  }

  function close() {
    // The view stays, hidden: it has the rows, and the filters that somebody has chosen. The
    // server remembers what comes meanwhile.
    stop?.();
    stop = undefined;
    drawer.hidden = true;
    button.ariaExpanded = "false";
    withStorage((storage) => storage.removeItem(KEY), "sessionStorage");
    button.focus();
  }

  button.addEventListener("click", () => {
    if (!drawer.hidden) return close();
    open();
    drawer.focus();
  });

  for (const part of [button, drawer])
    part.addEventListener("keydown", ({ key }) => {
      // The view keeps an Escape to itself that closes a part of it.
      if (key === "Escape" && !drawer.hidden) close();
    });

  // A page that is loaded again leaves the focus where it wants it.
  if (withStorage((storage) => storage.getItem(KEY), "sessionStorage")) open();
}

/**
 * Marks each socket of this page for X-ray, with the name of who has signed in, if somebody
 * has: the lab of another tab may have left its own in the cookie, which all tabs share.
 */
function markSockets() {
  globalThis.WebSocket = class extends WebSocket {
    constructor(...address) {
      mark();
      super(...address);
    }
  };
  mark(); // For those that a worker opens.
}
