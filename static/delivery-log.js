// What a room shows of the delivery: of each chat its number, and of ours what became of it.
//
// delivery.js knows that. Here it is drawn, in the order of the numbers; what has none yet
// stands below.

import { keepDelivery } from "./delivery.js";
import { write } from "./log.js";
import { hueOf } from "./projector.js";
import { byline } from "./room.js";

const NEW_LOG = "This is another log: its numbers begin anew, and messages may be missing.";
const UNKEPT = "This browser stores nothing: do not reload the page while messages wait.";

/** What room.js needs: our half of the delivery, and what is drawn of it. */
export function makeDelivery(me, room) {
  const log = document.querySelector("#log");
  /** The entries of our messages that have no place among the numbers yet, by their ids. */
  const entries = new Map();
  // Another page of this address may be that of another server, with rooms of its own.
  const key = `delivery ${JSON.stringify([location.pathname, me, room])}`;
  const delivery = keepDelivery(key, me, {
    onOwn: drawOwn,
    onChat: drawChat,
    onGap: drawGap,
    onNewLog: () => writeGap(NEW_LOG),
    onUnkept: () => write("problem", UNKEPT),
  });
  delivery.queue().forEach(drawOwn); // From before the page was loaded.

  function drawOwn({ id, content, state, seq, why }) {
    const entry = entries.get(id) ?? write("sent", content, state);
    entries.set(id, entry);
    const details = { acknowledged: `, number ${seq}`, failed: `: ${why}` };
    note(entry, `${state}${details[state] ?? ""}`, state);
    if (state === "acknowledged") entry.dataset.seq = seq;
    if (state === "failed") entries.delete(id); // It will never have a number.
  }

  function drawChat(chat) {
    const isOwn = chat.from === me;
    const text = `${byline(chat)}, number ${chat.seq}`;
    const own = isOwn ? entries.get(chat.id) : undefined;
    const entry = own ?? write(isOwn ? "sent" : "received", chat.content, text);
    entry.style.setProperty("--hue", hueOf(chat.from)); // For the projector.
    if (isOwn) note(entry, `${text}, acknowledged`, "acknowledged");

    // What has no number yet, or a greater one, stays below.
    for (const [id, { dataset }] of entries) if (dataset.seq <= chat.seq) entries.delete(id);
    place(entry);
  }

  /** Puts an entry above those of our messages that have no place yet. */
  function place(entry) {
    const [first] = entries.values();
    if (first && entry.nextElementSibling !== first) log.insertBefore(entry, first);
  }

  /** Says that something is missing, above what comes after it. */
  function writeGap(text) {
    place(write("problem gap", text));
  }

  /** Says what became of a message of ours, in words and by its looks. */
  function note(entry, text, state) {
    entry.querySelector("small").textContent = text;
    entry.dataset.state = state;
  }

  function drawGap(seen, next) {
    const where = seen === 0 ? `before number ${next}` : `between the numbers ${seen} and ${next}`;
    writeGap(`What was ${where} is missing: the server no longer keeps it.`);
  }

  /** Returns whether the field may be emptied. */
  function say(text) {
    const refusal = delivery.write(text);
    if (refusal) write("problem", refusal);
    return !refusal;
  }

  return { ...delivery, say };
}
