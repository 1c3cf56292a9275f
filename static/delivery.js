// Delivery, the client's half: what we write arrives, and arrives once; what others write is
// not missed, and is shown once.
//
// Each chat of a room has a number. We keep the greatest one that we have seen, and say it
// when we connect: the server sends what comes after it. What we write has an id, and waits
// in a queue until the server has acknowledged it. After each new connection we send the
// whole queue again: the server knows the ids that it has already.
//
// Nothing here draws anything. A page does that, in the functions that it passes.

import { withStorage } from "./storage.js";

/** How many messages may wait. */
const QUEUE_LIMIT = 100;

/** The longest message, in characters. The server would not even read the id of a huge one. */
const CONTENT_LIMIT = 2000;

/** A page that is loaded again is empty. So it asks for so many numbers once more. */
const OVERLAP = 50;

/**
 * Each window keeps what is its own, and keeps it when it is loaded again.
 *
 * Why not `localStorage`? All windows share that one, and would overwrite each other's queue.
 */
const STORAGE = "sessionStorage";

/**
 * Keeps what `me` writes in a room, under `key`, and tells the chats that have been seen from
 * those that have not.
 *
 * - `onOwn` is called when a message of ours has a new `state`: "waiting", "sent",
 *   "acknowledged" (with its number, `seq`) or "failed" (with a sentence, `why`).
 * - `onChat` is called with each chat that is new here, in the order of the numbers.
 * - `onGap` is called when chats between two numbers are gone for ever.
 * - `onNewLog` is called when the numbers that we know mean nothing any more.
 * - `onUnkept` is called when the browser stores nothing: a reload would lose what waits.
 */
export function keepDelivery(key, me, { onOwn, onChat, onGap, onNewLog, onUnkept }) {
  let { log, newest, queue } = load(key);
  let seen = Math.max(0, newest - OVERLAP);
  let socket; // The one on which the server has welcomed us.
  let isKept = true;

  function save() {
    const messages = queue.map(({ id, content }) => ({ id, content }));
    const text = JSON.stringify({ log, newest, queue: messages });
    const store = (storage) => {
      storage.setItem(key, text);
      return true;
    };
    // If the storage is full, it has an older state. That is safe: we would send more than
    // we have to, and receive more, and ids and numbers tell what is there twice.
    const isStored = withStorage(store, STORAGE) ?? false;
    if (isKept && !isStored) onUnkept();
    isKept = isStored;
  }

  function change(message, changes) {
    Object.assign(message, changes);
    onOwn(message);
  }

  function send(message) {
    const { id, content } = message;
    socket.send(JSON.stringify({ type: "chat", id, content }));
    change(message, { state: "sent" });
  }

  /** Ends the wait of a message. There may be a second answer for it, which says nothing. */
  function settle(id, outcome) {
    const index = queue.findIndex((message) => message.id === id);
    if (index === -1) return;

    const [message] = queue.splice(index, 1);
    change(message, outcome);
  }

  function welcome(message, from) {
    socket = from;
    // A database that was restored from a copy has its old name, and fewer numbers.
    if (message.log !== log || message.seq < newest) {
      if (log !== undefined) onNewLog();
      log = message.log;
      seen = newest = 0;
    }
    queue.forEach(send); // In their order, whatever became of them before.
  }

  function receiveChat(chat) {
    // Others may use our ids for their own messages.
    if (chat.from === me) settle(chat.id, { state: "acknowledged", seq: chat.seq });

    // Why not `seen + 1`? Nobody promises numbers without holes.
    if (chat.seq <= seen) return;

    advance(chat.seq);
    onChat(chat);
  }

  function receiveGap({ next }) {
    if (next > seen + 1) onGap(seen, next);
    advance(next - 1);
  }

  /** `newest` is ahead of `seen` only while a page that was loaded again catches up. */
  function advance(seq) {
    seen = seq;
    newest = Math.max(newest, seq);
  }

  /** Takes a message of the server. Returns false if it is not about delivery. */
  function receive(message, from) {
    switch (message.type) {
      case "welcome":
        welcome(message, from);
        break;
      case "chat":
        receiveChat(message);
        break;
      case "gap":
        receiveGap(message);
        break;
      case "ack":
        // It does not change `seen`: chats of others with smaller numbers may be on the way.
        settle(message.id, { state: "acknowledged", seq: message.seq });
        break;
      case "rejected":
        settle(message.id, { state: "failed", why: message.message });
        break;
      default:
        return false;
    }
    save();
    return true;
  }

  return {
    receive,
    /** What the address of the next connection says. */
    query() {
      const position = log === undefined ? { resume: 0 } : { resume: seen, log };
      return `${new URLSearchParams(position)}`;
    },
    /** Takes what we write, connected or not; or returns a sentence that says why it cannot. */
    write(content) {
      const { length } = [...content];
      if (length > CONTENT_LIMIT)
        return `A message has at most ${CONTENT_LIMIT} characters. This one has ${length}.`;
      if (queue.length >= QUEUE_LIMIT)
        return `${QUEUE_LIMIT} messages wait already. Yours is still in the field.`;

      const message = { id: newId(), content: wellFormed(content), state: "waiting" };
      queue.push(message);
      save(); // First: a page may be closed at any moment.
      onOwn(message);
      if (socket) send(message);
    },
    /** The connection has ended. What was sent may have arrived, or not: nobody knows. */
    disconnected() {
      socket = undefined;
      const sent = queue.filter(({ state }) => state === "sent");
      sent.forEach((message) => change(message, { state: "waiting" }));
    },
    /** Our messages that wait for an answer, in their order. */
    queue: () => queue,
  };
}

/** What the storage has, or what is fit for use of it. */
function load(key) {
  const stored = withStorage((storage) => JSON.parse(storage.getItem(key)), STORAGE);
  const { log, newest, queue } = stored ?? {};
  const isPosition = typeof log === "string" && Number.isSafeInteger(newest) && newest >= 0;
  const isMessage = (message) =>
    [message?.id, message?.content].every((part) => typeof part === "string") &&
    /^[\w-]{1,64}$/.test(message.id);
  const messages = Array.isArray(queue) ? queue.filter(isMessage) : [];
  return {
    log: isPosition ? log : undefined,
    newest: isPosition ? newest : 0,
    queue: messages.map(({ id, content }) => ({ id, content, state: "waiting" })),
  };
}

/**
 * Half of a character, which a text of JavaScript may contain, has no form in UTF-8. The server
 * could not even read the id of such a message, so it would be sent for ever.
 *
 * Why not `toWellFormed`? Browsers of 2022 do not have it.
 */
function wellFormed(text) {
  return new TextDecoder("utf-8", { ignoreBOM: true }).decode(new TextEncoder().encode(text));
}

/** Why not `crypto.randomUUID`? Over plain HTTP, pages of other computers do not have it. */
function newId() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
