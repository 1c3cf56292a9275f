// The list of the wire view: a lane for each client and for the server, a row for each
// message, and only those rows in the document that are in sight.

import { make } from "./elements.js";
import { jsonPieces } from "./json-pieces.js";
import { bytesOf, duration, hex, number } from "./wire-rows.js";

/** How many rows we have ready above and below what is in sight. */
const SPARE = 2;

/** How much of a text a row can show. */
const SHOWN = 240;

/** A silence of so many milliseconds is drawn. */
const SILENCE = 100;

/** More clients than that share the last lane. */
const LANES = 9;

/** How many colours there are for clients. */
const HUES = 4;

/** Who has which lane: the server is between the first client and the second. */
export class Lanes {
  #clients = [];

  /** Adds a client. Returns whether it is a new one. */
  add(client) {
    if (!client || this.#clients.includes(client)) return false;
    this.#clients.push(client);
    return true;
  }

  reset(clients) {
    this.#clients = [...clients];
  }

  get clients() {
    return this.#clients;
  }

  /** The names over the lanes, from left to right. */
  get names() {
    const names = this.#clients.slice(0, LANES);
    if (this.#clients.length > LANES) names[LANES - 1] = "others";
    names.splice(1, 0, "server");
    return names;
  }

  of(client) {
    const index = Math.min(this.#clients.indexOf(client), LANES - 1);
    return index === 0 ? 0 : index + 1;
  }

  get server() {
    return Math.min(1, this.#clients.length);
  }

  hue(client) {
    return this.#clients.indexOf(client) % HUES;
  }
}

/**
 * Draws entries of a WireLog in `element`, which scrolls. `onChoose` is called when a row
 * is chosen, and `onScroll` when the end comes into sight or leaves it.
 */
export class WireList {
  #element;
  #space = make("div", { className: "space", role: "presentation" });
  #slots = [];
  #entries = [];
  #chosen;
  // Where we are and how much is in sight. Why not ask the element? Whoever asks after a
  // change makes the browser lay out the page at once.
  #top = 0;
  #sight = 0;
  #height = 28;
  #version = 0;
  follows = true;
  sinceFirst = false;

  constructor(element, { lanes, onChoose, onScroll }) {
    this.#element = element;
    this.lanes = lanes;
    this.onChoose = onChoose;
    element.append(this.#space);

    element.addEventListener("scroll", () => {
      const { scrollTop } = element;
      // Only who scrolls up wants to stay there: rows that come move the end away.
      const isUp = scrollTop < this.#top - 1;
      this.#top = scrollTop;
      if (this.below === 0) this.follows = true;
      else if (isUp) this.follows = false;
      this.render();
      onScroll();
    });

    element.addEventListener("click", ({ target }) => {
      const slot = this.#slots.find(({ option }) => option.contains(target));
      if (slot?.entry) onChoose(slot.entry, true);
    });
  }

  /** The entry that is chosen, unless a filter hides it. */
  get chosen() {
    return this.#entries.includes(this.#chosen) ? this.#chosen : undefined;
  }

  /** How many rows fit into sight. */
  get page() {
    return Math.max(1, Math.floor(this.#sight / this.#height));
  }

  /** How many rows there are below those in sight. */
  get below() {
    const last = (this.#top + this.#sight) / this.#height;
    return Math.max(0, Math.round(this.#entries.length - last));
  }

  /** Draws these entries. Of those that were drawn, the first `gone` are there no more. */
  show(entries, gone = 0) {
    this.#entries = entries;
    if (this.follows) return this.#scrollTo(Infinity);
    if (gone > 0) return this.#scrollTo(this.#top - gone * this.#height);
    // Somebody may be scrolling right now, so we leave that alone.
    this.#space.style.height = `${entries.length * this.#height}px`;
    this.render();
  }

  /** Draws what is to be seen at this place, and goes there. */
  #scrollTo(top) {
    const whole = this.#entries.length * this.#height;
    this.#top = Math.max(0, Math.min(top, whole - this.#sight));
    this.render();
    this.#space.style.height = `${whole}px`;
    this.#element.scrollTop = this.#top;
  }

  /** The size or the look has changed. */
  resize() {
    const first = this.#top / this.#height;
    const height = getComputedStyle(this.#element).getPropertyValue("--row");
    this.#height = parseFloat(height) || this.#height;
    this.#sight = this.#element.clientHeight;
    const fit = Math.ceil(this.#sight / this.#height) + 2 * SPARE;
    while (this.#slots.length < fit) this.#slots.push(this.#slot());
    for (const { option } of this.#slots.splice(fit)) option.remove();
    this.#version += 1;
    this.#scrollTo(this.follows ? Infinity : first * this.#height);
  }

  /** Chooses a row, and brings it into sight. */
  choose(entry) {
    this.#chosen = entry;
    const index = this.#entries.indexOf(entry);
    if (index >= 0) this.#bringIntoSight(index);
  }

  /** Chooses the row so many places away from the one that is chosen. */
  move(by) {
    const last = this.#entries.length - 1;
    if (last < 0) return;
    const now = this.#entries.indexOf(this.#chosen);
    const from = now >= 0 ? now : by > 0 ? this.#first - 1 : last + 1;
    this.onChoose(this.#entries[Math.min(last, Math.max(0, from + by))], false);
  }

  get #first() {
    return Math.ceil(this.#top / this.#height);
  }

  #bringIntoSight(index) {
    const top = index * this.#height;
    this.follows = index === this.#entries.length - 1;
    const isBelow = top + this.#height > this.#top + this.#sight;
    if (top < this.#top) this.#scrollTo(top);
    else if (isBelow) this.#scrollTo(top + this.#height - this.#sight);
    else this.render();
  }

  toEnd() {
    this.follows = true;
    this.#scrollTo(Infinity);
  }

  /** Everything has to be drawn again, because lanes or times have changed. */
  redraw() {
    this.#version += 1;
    this.render();
  }

  render() {
    const count = this.#slots.length;
    const first = Math.max(0, Math.floor(this.#top / this.#height) - SPARE);
    let active = "";
    for (let index = first; index < first + count; index += 1) {
      const slot = this.#slots[index % count];
      const entry = this.#entries[index];
      if (slot.option.hidden === !!entry) slot.option.hidden = !entry;
      if (!entry) {
        slot.entry = undefined;
        slot.option.ariaSelected = "false";
        continue;
      }
      this.#fill(slot, entry, index);
      if (entry === this.#chosen) active = slot.option.id;
    }
    if (active) this.#element.setAttribute("aria-activedescendant", active);
    else this.#element.removeAttribute("aria-activedescendant");
  }

  /** The elements of a row, in the order in which they are read out. */
  #slot() {
    const parts = {};
    for (const name of ["who", "kind", "says", "bytes", "time", "lanes", "hex"])
      parts[name] = make("span", { className: name });
    parts.who.className = "who hidden"; // Where there are lanes, they show it.
    parts.lanes.ariaHidden = "true";
    parts.hex.ariaHidden = "true";
    const option = make("div", { role: "option" }, ...Object.values(parts));
    option.id = `row-${this.#slots.length}`;
    option.ariaSelected = "false";
    this.#space.append(option);
    const server = parts.lanes.appendChild(make("i", { className: "server" }));
    const arrow = parts.lanes.appendChild(make("b", {}));
    return { option, parts, server, arrow, marks: [] };
  }

  /** Draws an entry in a slot, unless it is there already. */
  #fill(slot, entry, index) {
    const { option, parts } = slot;
    const isChosen = `${entry === this.#chosen}`;
    if (option.ariaSelected !== isChosen) option.ariaSelected = isChosen;
    const count = `${this.#entries.length}`;
    if (option.ariaSetSize !== count) option.ariaSetSize = count;
    const before = this.#entries[this.sinceFirst ? 0 : index - 1];
    if (
      slot.entry === entry &&
      slot.index === index &&
      slot.before === before &&
      slot.version === this.#version
    )
      return;
    Object.assign(slot, { entry, index, before, version: this.#version });

    const { row } = entry;
    const passed = before ? row.t - before.row.t : 0;
    const isPause = index > 0 && row.t - this.#entries[index - 1].row.t > SILENCE;
    option.style.transform = `translateY(${index * this.#height}px)`;
    option.className = classes({
      row: true,
      [row.kind]: true,
      copy: row.isCopy,
      fault: row.isFault,
      pause: isPause,
      [`hue-${this.lanes.hue(row.client)}`]: row.client,
    });
    option.ariaPosInSet = `${index + 1}`;
    parts.time.textContent = time(passed, this.sinceFirst);
    parts.who.replaceChildren(...who(row));
    parts.kind.textContent = kindOf(row);
    parts.bytes.replaceChildren(...bytes(row));
    parts.says.replaceChildren(...words(row));
    parts.hex.textContent = row.raw?.header ? hex(bytesOf(row.raw.header), 14) : "";
    this.#drawLanes(slot, entry);
  }

  /** In most rows the lanes are those of the row that the slot had before. */
  #drawLanes({ parts, server, arrow, marks }, { row, open }) {
    const clients = this.lanes.clients.slice(0, LANES);
    while (marks.length < clients.length)
      marks.push(parts.lanes.appendChild(make("i", {})));
    for (const mark of marks.splice(clients.length)) mark.remove();
    clients.forEach((client, i) => {
      const isHere = client === row.client;
      const className = classes({
        [`hue-${this.lanes.hue(client)}`]: true,
        off: !open.some((about) => about.client === client),
        begin: isHere && row.isBegin,
        end: isHere && row.isEnd,
      });
      place(marks[i], className, this.lanes.of(client));
    });
    place(server, "server", this.lanes.server);
    this.#drawArrow(arrow, row);
  }

  #drawArrow(arrow, { client, from, kind, isEnd }) {
    // The end of a connection is nobody's message.
    arrow.hidden = !client || (kind === "tcp" && isEnd);
    if (arrow.hidden) return;
    const at = this.lanes.of(client);
    const { server } = this.lanes;
    const isRightward = (from === "client") === at < server;
    const className = `arrow ${kind} ${isRightward ? "right" : "left"}`;
    place(arrow, className, Math.min(at, server));
    set(arrow, "--over", Math.abs(at - server));
  }
}

function place(element, className, at) {
  if (element.className !== className) element.className = className;
  set(element, "--at", at);
}

/** Sets a property of the style, if it has another value: what is set is drawn again. */
function set(element, name, value) {
  if (element.style.getPropertyValue(name) !== `${value}`)
    element.style.setProperty(name, value);
}

const classes = (names) =>
  Object.keys(names)
    .filter((name) => names[name])
    .join(" ");

function time(passed, isTotal) {
  if (isTotal) return number(Math.round(passed));
  if (passed >= 100_000) return `+${number(Math.round(passed / 1000))} s`;
  return `+${passed.toFixed(passed < 100 ? 1 : 0)}`;
}

/** A message in several frames: “text …”, “… more …” and “… end”. */
function kindOf({ kind, group, raw }) {
  const isData = group === "text" || group === "binary";
  const isOver = raw?.fin !== false;
  if (!isData) return kind;
  if (kind === "continuation") return isOver ? "… end" : "… more";
  return isOver ? kind : `${kind} …`;
}

/** “Ana →” for the eye, and “Ana to server” for the ear. */
function who({ client, from, about }) {
  if (!about) return [];
  const arrow = make("span", { ariaHidden: "true" }, from === "client" ? " →" : "→ ");
  const spoken = from === "client" ? " to server " : "server to ";
  const words = make("span", { className: "hidden" }, spoken);
  return from === "client" ? [client ?? "", arrow, words] : [words, arrow, client ?? ""];
}

const bytes = ({ bytes }) =>
  bytes === undefined
    ? []
    : [
        number(bytes),
        make("b", { ariaHidden: "true" }, " B"),
        make("span", { className: "hidden" }, " bytes"),
      ];

/** A text. In JSON, the values stand out, and what holds them together does not. */
function words({ kind, group, raw, text = "" }) {
  if (raw?.rtt !== undefined) return [`${duration(raw.rtt)} after our ping ${text}`];
  const shown = text.slice(0, SHOWN).replace(/[\r\n\t]/g, " ");
  if (kind !== "text" || group !== "text" || !/^\s*[{[]/.test(shown)) return [shown];

  const parts = jsonPieces(shown).map(({ kind, text }) =>
    kind === "value" ? make("em", {}, text) : text,
  );
  return [make("span", { className: "json" }, ...parts)];
}
