// The list of messages that every page has.

/** How many lines we keep. A page that kept them all would slow down in the end. */
const LINES = 500;

/**
 * Adds a line to the log, with an optional `note` above it in small print.
 *
 * `kind` is "said", "heard", "notice" or "problem", and "private" may be added to the
 * first two; style.css has them all. Gives the line.
 */
export function write(kind, text, note) {
  const log = document.querySelector("#log");
  // We follow the talk, unless the reader has scrolled back.
  const following = log.scrollHeight - log.scrollTop - log.clientHeight < 50;

  const line = document.createElement("li");
  line.className = kind;
  line.textContent = text; // Never innerHTML: strangers wrote this text.
  if (note) {
    const small = document.createElement("small");
    small.textContent = note;
    line.prepend(small);
  }

  log.append(line);
  if (log.childElementCount > LINES) log.firstElementChild.remove();
  if (following) log.scrollTop = log.scrollHeight;
  return line;
}
