// Lesson 18, the browser's half: nothing is lost when the connection is.
//
// delivery.js knows what waits and what we have seen. This page shows it, and connects again
// by itself (reconnect.js), also when only a heartbeat shows that the network is gone.

import { explain } from "./close-codes.js";
import { keepDelivery } from "./delivery.js";
import { keepAlive } from "./heartbeat.js";
import { write } from "./log.js";
import { hueOf } from "./projector.js";
import { reconnect } from "./reconnect.js";
import { byline } from "./room.js";
import { signInAndChat } from "./sign-in.js";

const NEW_LOG = "This is another log: its numbers begin anew, and messages may be missing.";
const UNKEPT = "This browser stores nothing: do not reload the page while messages wait.";

const countdown = document.querySelector("#countdown");

const tries = reconnect({
  connect: () => connect(),
  onWait: count,
  onGiveUp: hideCountdown,
  // Here 4009 always says that a newer connection has taken our place. If we tried again,
  // two windows would replace each other for ever.
  taken: new Set(),
});

const connect = signInAndChat(
  document.querySelector("#sign-in-here"),
  document.querySelector("#room"),
  {
    countdown,
    makeDelivery,
    onConnecting: (socket) => {
      countdown.textContent = "We try now.";
      tries.follow(socket);
      keepAlive(socket);
      socket.addEventListener("open", hideCountdown);
    },
    onClose: (event, opened) => {
      // The tries that follow do not know why the connection ended.
      if (opened) write("notice", explain(event));
      return !countdown.hidden;
    },
    onLeft: () => {
      hideCountdown();
      tries.stop();
    },
  },
);

// Nobody needs to wait for half a minute if the browser says that there is a network again.
window.addEventListener("online", tries.restart);

/** What room.js needs: our half of the delivery, and what is drawn of it. */
function makeDelivery(me, room) {
  const log = document.querySelector("#log");
  /** The entries of our messages that have no place among the numbers yet, by their ids. */
  const entries = new Map();
  const delivery = keepDelivery(`delivery ${JSON.stringify([me, room])}`, me, {
    onOwn: drawOwn,
    onChat: drawChat,
    onGap: drawGap,
    onNewLog: () => write("problem gap", NEW_LOG),
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
    const [first] = entries.values();
    if (first && entry.nextElementSibling !== first) log.insertBefore(entry, first);
  }

  /** Says what became of a message of ours, in words and by its looks. */
  function note(entry, text, state) {
    entry.querySelector("small").textContent = text;
    entry.dataset.state = state;
  }

  function drawGap(seen, next) {
    const where = seen === 0 ? `before number ${next}` : `between the numbers ${seen} and ${next}`;
    write("problem gap", `What was ${where} is missing: the server no longer keeps it.`);
  }

  /** Returns whether the field may be emptied. */
  function say(text) {
    const refusal = delivery.write(text);
    if (refusal) write("problem", refusal);
    return !refusal;
  }

  return { ...delivery, say };
}

function count(milliseconds) {
  countdown.hidden = false;
  countdown.textContent = `We try again in ${Math.ceil(milliseconds / 1000)} s.`;
}

function hideCountdown() {
  countdown.hidden = true;
}
