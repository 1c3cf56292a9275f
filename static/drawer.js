// The drawer: what goes over the sockets of this page, beside the page.
//
// If the server has X-ray, it remembers what happened before somebody looked. If it has
// none, we record what the sockets do, from the first one on. So this has to run before the
// scripts that open sockets.

import { make } from "./elements.js";
import { recordSockets } from "./socket-recorder.js";
import { mark } from "./xray.js";

/** How many rows we keep until somebody opens the drawer. Then the view keeps them. */
const KEPT = 1_000;

/** Where this window remembers that the drawer is open. */
const KEY = "wire";

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
  const early = [];
  if (hasXray) markSockets();
  else recordSockets(keep);

  function keep(row) {
    if (view) return view.add([row]);
    early.push(row);
    if (early.length > KEPT) early.shift();
  }

  async function load() {
    await import("./wire-view.js");
    view = make("wire-view");
    drawer.append(view);
    if (hasXray) view.connect();
    else view.add(early.splice(0));
  }

  function open() {
    drawer.hidden = false;
    button.ariaExpanded = "true";
    sessionStorage.setItem(KEY, "open");
    loading ??= load();
  }

  function close() {
    // The view stays, hidden: it has the rows, and the filters that somebody has chosen.
    drawer.hidden = true;
    button.ariaExpanded = "false";
    sessionStorage.removeItem(KEY);
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
  if (sessionStorage.getItem(KEY)) open();
}

/**
 * Marks each socket of this page for X-ray, without a label: the lab of another tab may have
 * left its own in the cookie, which all tabs share.
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
