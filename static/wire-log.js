// What the wire view has: a bounded list of rows, and which of them are shown.
//
// Nothing here touches a document.

/** How many rows we keep. With one more, the oldest fifth goes, all at once. */
const LIMIT = 10_000;

/** How many characters the payloads of all rows may have, or bytes if they were recorded. */
const CHARACTERS = 32 * 1024 * 1024;

/** Keeps rows as entries: `{ row, open, era }`. `open` are the connections after it. */
export class WireLog {
  entries = [];
  /** The entries that the filter picks. */
  shown = [];
  /** How many rows have come. */
  total = 0;
  isPaused = false;
  #filter = () => true;
  #held = new Set(); // What came while we pause. It is kept, but not shown.
  #open = [];
  #characters = 0;
  #era = 0;

  /** Adds a row. Returns how many rows that were shown have gone for it. */
  add(row) {
    this.total += 1;
    this.#characters += size(row);
    this.#track(row);
    if (row.kind === "note") this.#era += 1; // After it, the clock may begin anew.
    const entry = { row, open: this.#open, era: this.#era };
    const next = insert(this.entries, entry);
    if (next) entry.open = next.open;

    if (this.isPaused) this.#held.add(entry);
    else if (this.#filter(row)) insert(this.shown, entry);
    if (this.entries.length <= LIMIT && this.#characters <= CHARACTERS) return 0;
    return this.#drop(Math.ceil(this.entries.length / 5));
  }

  #track({ about, isEnd }) {
    if (!about) return;
    const isOpen = this.#open.includes(about);
    if (isEnd && isOpen) this.#open = this.#open.filter((one) => one !== about);
    if (!isOpen && !about.isOver) this.#open = [...this.#open, about];
  }

  #drop(count) {
    const gone = new Set(this.entries.splice(0, count));
    for (const entry of gone) {
      this.#characters -= size(entry.row);
      this.#held.delete(entry);
    }
    const before = this.shown.length;
    this.shown = this.shown.filter((entry) => !gone.has(entry));
    return before - this.shown.length;
  }

  /** Everybody is gone: the server has been restarted. */
  forget() {
    this.#open = [];
  }

  clear() {
    this.entries = [];
    this.shown = [];
    this.total = 0;
    this.#held.clear();
    this.#characters = 0;
  }

  /** Shows the rows that `filter` picks, from now on and of those that are there. */
  filter(filter) {
    this.#filter = filter;
    this.shown = this.entries.filter(
      (entry) => !this.#held.has(entry) && filter(entry.row),
    );
  }

  pause() {
    this.isPaused = true;
  }

  resume() {
    this.isPaused = false;
    this.#held.clear();
    this.filter(this.#filter);
  }

  /** The clients that are connected now. */
  get open() {
    return this.#open.map(({ client }) => client).filter(Boolean);
  }

  /** How many rows wait for the end of the pause. */
  get held() {
    return this.#held.size;
  }

  get leftOut() {
    return this.total - this.entries.length;
  }
}

/**
 * Puts an entry where its time says, and returns the one after it, if there is one.
 *
 * A frame that takes long is reported when it is complete, but it has the time of its first
 * byte. So it goes in front of what came meanwhile.
 */
function insert(entries, entry) {
  const isLater = ({ era, row }) => era === entry.era && row.t > entry.row.t;
  let place = entries.length;
  while (place > 0 && isLater(entries[place - 1])) place -= 1;
  entries.splice(place, 0, entry);
  return entries[place + 1];
}

/** The bytes of a row of X-ray are made when somebody asks. A recorded one has them. */
function size({ raw, data, text = "" }) {
  const payload = raw ? raw.data : data;
  return (payload?.length ?? 0) + text.length;
}
