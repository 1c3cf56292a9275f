// <wire-view>: what goes over WebSocket connections, as a list that people can read.
//
//   <wire-view lanes="Ana Ben Cem"></wire-view>
//
// Time runs downwards. Each client has a lane, and so has the server; each message is a
// row, which opens into a panel. It fills the box that it is in.
//
//   view.add(rows)             rows of X-ray, or of wire-rows.js
//   view.connect({ server })   follows X-ray or, without it, the sockets of this page
//   view.xray({ server })      follows X-ray, for who knows that it is there
//   view.record(window)        the sockets of another window, if there is no X-ray
//   view.clear(), view.transcript(), view.large
//   "rowopen"                  the event when somebody opens a row, with the row as detail

import { make } from "./elements.js";
import { describeServer } from "./lab-json.js";
import { recordSockets, rowsOfPage } from "./socket-recorder.js";
import { withStorage } from "./storage.js";
import { detail } from "./wire-detail.js";
import { Lanes, WireList } from "./wire-list.js";
import { WireLog } from "./wire-log.js";
import { hex, note, number } from "./wire-rows.js";
import { STYLE } from "./wire-style.js";
import { Toolbar } from "./wire-toolbar.js";
import { transcriptOf } from "./wire-transcript.js";
import { watchXray } from "./xray.js";

/** How often a screen reader is told, at most, that rows have come, in milliseconds. */
const NEWS = 15_000;

const GONE = "The server is gone. We go on asking for it.";
const REFUSED =
  "The server answers, but it does not let this window look on. We go on asking.";

/** What remembers that somebody has chosen large type, for the next page. */
const LARGE = "wire-large";

const KEYS = "↑ ↓ choose · Enter opens · Esc closes · / filters";

class WireView extends HTMLElement {
  static observedAttributes = ["lanes", "large"];

  #log = new WireLog();
  #rows = rowsOfPage();
  #seen = {}; // Of X-ray, so that whoever connects again is shown no row twice.
  #lanes = new Lanes();
  #list;
  #gone = 0;
  #isPlanned = false;
  #isXray = false;
  #heard = 0; // How many rows a screen reader knows of, and since when.
  #heardAt = -Infinity;

  #view = make("div", { className: "view" });
  #toolbar = new Toolbar({
    filter: () => this.#filter(),
    pause: () => this.#pause(),
    clear: () => this.clear(),
    total: () => this.#time(),
    copy: () => this.#copy(),
    download: () => this.#download(),
    large: () => {
      this.large = !this.large;
      withStorage((storage) => storage.setItem(LARGE, this.large));
    },
  });
  #names = make("div", { className: "names", ariaHidden: "true" });
  #messages = make("div", { className: "list", role: "listbox", tabIndex: 0 });
  #empty = make("p", { className: "empty" }, "Nothing has gone over a connection yet.");
  #panel = make("section", { className: "panel", ariaLabel: "Details", hidden: true });
  #count = make("span", { className: "count" });
  #below = make("button", { type: "button", className: "below", hidden: true });
  #status = make("output", { className: "status" });
  #news = make("p", { className: "hidden", role: "status" });

  connectedCallback() {
    if (this.shadowRoot) return;

    this.#messages.ariaLabel = "Messages";
    this.#panel.tabIndex = 0;
    const keys = make("span", { className: "keys" }, KEYS);
    this.attachShadow({ mode: "open" }).append(make("style", {}, STYLE), this.#view);
    this.#view.append(
      this.#toolbar.element,
      make("div", { className: "rows" }, this.#names, this.#messages, this.#empty),
      this.#panel,
      make("footer", {}, this.#count, this.#below, this.#status, keys, this.#news),
    );
    this.#list = new WireList(this.#messages, {
      lanes: this.#lanes,
      onChoose: (entry, opens) => this.#choose(entry, opens),
      onScroll: () => this.#drawBelow(),
    });
    this.#below.addEventListener("click", () => {
      this.#list.toEnd();
      this.#drawBelow();
      this.#messages.focus();
    });
    this.shadowRoot.addEventListener("keydown", (event) => this.#press(event));
    new ResizeObserver(() => this.#resize()).observe(this.#messages);
    this.#drawLanes();
    if (withStorage((storage) => storage.getItem(LARGE)) === "true") this.large = true;
    this.#draw();
  }

  attributeChangedCallback(name) {
    if (name === "lanes") {
      this.#wanted.forEach((client) => this.#lanes.add(client));
      this.#drawLanes();
    } else {
      this.#toolbar.press("large", this.large);
      this.#resize();
    }
  }

  get #wanted() {
    return (this.getAttribute("lanes") ?? "").split(" ").filter(Boolean);
  }

  get lanes() {
    return this.getAttribute("lanes") ?? "";
  }

  set lanes(names) {
    this.setAttribute("lanes", names);
  }

  /** Large type, for a classroom. */
  get large() {
    return this.hasAttribute("large");
  }

  set large(isLarge) {
    this.toggleAttribute("large", isLarge);
  }

  /** Adds rows: those of X-ray, or those that wire-rows.js has made. */
  add(rows) {
    let isNew = false;
    let isNamed = false;
    for (const given of rows) {
      const isRow = "group" in given;
      const row = isRow ? given : this.#rows.fromXray(given);
      this.#gone += this.#log.add(row);
      isNew = this.#lanes.add(row.client) || isNew;
      isNamed ||= row.kind === "request";
    }
    // A filter for a client could not pick what came before the request: it had no name.
    if (isNamed) this.#filter();
    if (isNew) this.#drawLanes();
    this.#plan();
  }

  /** Forgets all rows. Who is connected keeps a lane. */
  clear() {
    this.#log.clear();
    this.#list.choose(undefined);
    this.#lanes.reset(new Set([...this.#wanted, ...this.#log.open]));
    this.#toolbar.forgetClients();
    this.#close();
    this.#filter();
    this.#drawLanes();
  }

  /** All rows, shown or not, as a text in the language of transcripts. */
  transcript() {
    return transcriptOf(this.#log.entries.map(({ row }) => row));
  }

  /**
   * Follows the connections of this browser to a server with X-ray, or what the scripts of
   * this page do with sockets that they open from now on. Resolves to what ends it.
   */
  async connect({ server = "" } = {}) {
    const about = await describeServer(server);
    return about?.xray ? this.xray({ server }) : this.record(window);
  }

  /** The same for a page that knows of X-ray. What has been shown is not shown again. */
  xray({ server = "" } = {}) {
    this.#isXray = true;
    let now;
    return watchXray({
      server,
      seen: this.#seen,
      onRows: (rows) => this.add(rows),
      onState: (state) => {
        now = state;
        if (state === "lost")
          describeServer(server).then((about) => {
            if (now === "open") return; // It has let us in meanwhile.
            this.#say(about ? REFUSED : GONE);
          });
        if (state === "replaced") this.#say("Too many windows look on. This one ended.");
        if (state === "open") this.#say("");
        if (state === "restarted") this.#restart();
      },
    });
  }

  /**
   * Records the sockets of a window, which may be a frame of the page. `label` is the name
   * of the client. With X-ray, nothing needs to be recorded.
   */
  record(window, label) {
    if (this.#isXray) return () => {};
    return recordSockets((row) => this.add([row]), { window, label, rows: this.#rows });
  }

  /** Another server answers now: its clock and its connections begin anew. */
  #restart() {
    this.#rows = rowsOfPage();
    this.#log.forget();
    this.add([note(0, "The server has been restarted")]);
  }

  // What a reader does.

  #filter() {
    this.#log.filter(this.#toolbar.filter);
    this.#plan();
  }

  #pause() {
    if (this.#log.isPaused) this.#log.resume();
    else this.#log.pause();
    this.#toolbar.press("pause", this.#log.isPaused);
    this.#plan();
  }

  #time() {
    this.#list.sinceFirst = !this.#list.sinceFirst;
    this.#toolbar.press("total", this.#list.sinceFirst);
    this.#drawLanes();
  }

  async #copy() {
    const text = this.transcript();
    const lines = number(text.split("\n").length - 1);
    try {
      await navigator.clipboard.writeText(text);
      this.#say(`Copied: ${lines} lines.`);
    } catch {
      this.#offer(text); // Only pages of this computer, or with TLS, may write there.
    }
  }

  #download() {
    const lines = this.#log.entries.map(({ row }) => `${JSON.stringify(plain(row))}\n`);
    const url = URL.createObjectURL(new Blob(lines, { type: "application/jsonl" }));
    make("a", { href: url, download: "wire.jsonl" }).click();
    setTimeout(() => URL.revokeObjectURL(url));
    this.#say(`Saved: ${number(lines.length)} rows.`);
  }

  #press(event) {
    const { key, altKey, ctrlKey, metaKey } = event;
    if (altKey || ctrlKey || metaKey) return;
    const isInList = this.shadowRoot.activeElement === this.#messages;
    const isInField = this.shadowRoot.activeElement?.matches("input, textarea");
    const moves = {
      ArrowDown: 1,
      ArrowUp: -1,
      PageDown: this.#list.page,
      PageUp: -this.#list.page,
      End: Infinity,
      Home: -Infinity,
    };
    if (key === "/" && !isInField) this.#toolbar.focus();
    else if (key === "Escape" && !this.#panel.hidden) this.#close();
    else if (isInList && key in moves) this.#list.move(moves[key]);
    else if (isInList && key === "Enter" && this.#list.chosen) this.#open();
    else return;
    event.preventDefault();
    event.stopPropagation();
  }

  #choose(entry, opens) {
    this.#list.choose(entry);
    if (opens || !this.#panel.hidden) this.#open();
    this.#drawBelow();
  }

  #open() {
    const { row } = this.#list.chosen;
    const close = make("button", { type: "button", className: "close" }, "Close");
    close.addEventListener("click", () => this.#close());
    this.#panel.replaceChildren(close, ...detail(row));
    this.#show();
    this.dispatchEvent(
      new CustomEvent("rowopen", { detail: row, bubbles: true, composed: true }),
    );
  }

  /** Shows the panel. The list has less room then, but what is chosen stays in sight. */
  #show() {
    this.#panel.hidden = false;
    this.#view.className = "view open";
    this.#panel.scrollTop = 0;
    this.#resize();
    if (this.#list.chosen) this.#list.choose(this.#list.chosen);
  }

  #close() {
    if (this.#panel.hidden) return;
    this.#panel.hidden = true;
    this.#view.className = "view";
    this.#messages.focus();
  }

  /** Shows the transcript, for a page that may not write to the clipboard. */
  #offer(text) {
    const close = make("button", { type: "button", className: "close" }, "Close");
    close.addEventListener("click", () => this.#close());
    const area = make("textarea", { value: text, readOnly: true, rows: 20 });
    area.ariaLabel = "The transcript";
    const sentence = "The browser does not let this page copy. Copy it from here:";
    this.#panel.replaceChildren(
      close,
      make("h2", {}, "Transcript"),
      make("p", {}, sentence),
      area,
    );
    this.#show();
    area.select();
  }

  // What is drawn.

  /** Draws before the next picture, however many rows come until then. */
  #plan() {
    if (this.#isPlanned) return;
    this.#isPlanned = true;
    requestAnimationFrame(() => {
      this.#isPlanned = false;
      this.#draw();
    });
  }

  #draw() {
    if (!this.#list) return;
    const { entries, shown, leftOut, held, isPaused, total } = this.#log;
    this.#list.show(shown, this.#gone);
    this.#gone = 0;
    this.#empty.hidden = shown.length > 0;
    this.#empty.textContent = entries.length
      ? "No row is of this kind."
      : "Nothing has gone over a connection yet.";
    const parts = [`${number(shown.length)} of ${number(total)} rows`];
    if (leftOut > 0) parts.push(`${number(leftOut)} left out`);
    this.#count.textContent = parts.join(", ");
    this.#toolbar.name("pause", isPaused ? `Resume (${number(held)})` : "Pause");
    this.#drawBelow();
    this.#tell(total);
  }

  #drawBelow() {
    const { below, follows } = this.#list;
    this.#below.hidden = follows || below === 0;
    this.#below.textContent = `↓ ${number(below)} more`;
  }

  /** Tells a screen reader how many rows have come: rarely, or it would never be silent. */
  #tell(total) {
    const now = performance.now();
    if (total < this.#heard) this.#heard = 0; // Somebody has cleared the list.
    if (total === this.#heard || now - this.#heardAt < NEWS) return;
    this.#news.textContent = `${number(total - this.#heard)} new rows.`;
    this.#heard = total;
    this.#heardAt = now;
  }

  #drawLanes() {
    const { names } = this.#lanes;
    this.style.setProperty("--lanes", names.length);
    const time = this.#list?.sinceFirst ? "ms" : "+ ms";
    this.#names.replaceChildren(
      make("span", { className: "time" }, time),
      make(
        "span",
        { className: "lanes" },
        ...names.map((name, at) => {
          const pill = make("b", {}, name);
          pill.className = name === "server" ? "server" : `hue-${this.#lanes.hue(name)}`;
          pill.style.setProperty("--at", at);
          return pill;
        }),
      ),
      make("span", { className: "kind" }, "kind"),
      make("span", { className: "bytes" }, "bytes"),
      make("span", { className: "says" }, "what it says"),
      make("span", { className: "hex" }, "header"),
    );
    this.#toolbar.drawClients(this.#lanes);
    this.#list?.redraw();
  }

  #resize() {
    this.#list?.resize();
    if (this.#list) this.#drawBelow();
  }

  #say(sentence) {
    this.#status.value = sentence;
  }
}

/** A row as JSON: that of X-ray, or what a script saw. */
function plain({
  raw,
  t,
  connection,
  client,
  from,
  kind,
  bytes,
  text,
  data,
  code,
  reason,
}) {
  if (raw) return raw;
  const binary = data && hex(data, Infinity);
  return { t, connection, client, from, kind, bytes, text, data: binary, code, reason };
}

customElements.define("wire-view", WireView);
