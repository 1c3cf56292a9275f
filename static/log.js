// The list of messages that every page has.

/** How many entries we keep. A page that kept them all would slow down in the end. */
const LIMIT = 500;

/** How many of them may say that something is missing. */
const GAP_LIMIT = 50;

/**
 * Adds an entry to the log, with an optional `note` above it in small print.
 *
 * `kind` is "sent", "received", "notice" or "problem", and "private" may be added to the
 * first two; style.css has them all. With "gap" added, the entry stays, however many others
 * follow, and goes when there are many gaps.
 * Returns the entry.
 */
export function write(kind, text, note) {
  const log = document.querySelector("#log");
  // We scroll to the newest entry, unless the reader has scrolled back. But whoever says
  // something wants to see it.
  const atEnd = log.scrollHeight - log.scrollTop - log.clientHeight < 50;
  const follows = atEnd || kind.startsWith("sent");

  const entry = document.createElement("li");
  entry.className = kind;
  entry.textContent = text; // Never innerHTML: strangers wrote this text.
  if (note) {
    const small = document.createElement("small");
    small.textContent = note;
    entry.prepend(small);
  }

  log.append(entry);
  if (log.childElementCount > LIMIT) log.querySelector("li:not(.gap)")?.remove();
  const gaps = log.getElementsByClassName("gap");
  if (gaps.length > GAP_LIMIT) gaps[0].remove();
  if (follows) log.scrollTop = log.scrollHeight;
  return entry;
}
