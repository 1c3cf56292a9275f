// The chat room: one conversation over one socket.
//
// It draws what the server sends, and only that: who is online, who is typing, private
// messages and the history appear when a server sends them.

import { ABNORMAL_CLOSURE, NAME_TAKEN, NOT_AUTHENTICATED, explain } from "./close-codes.js";
import { keepDrafts } from "./drafts.js";
import { make, takeFocus } from "./elements.js";
import { write } from "./log.js";
import { showInAddress } from "./names.js";
import { hueOf, makeProjector } from "./projector.js";
import { askServer } from "./server.js";

/** How often we tell the server, at most, that we are typing. */
const ONE_SECOND = 1000;

/** The title of the page. In a room, the room's name stands in front of it. */
const TITLE = document.title;

/** The conversation that each container shows. */
const conversations = new WeakMap();

/**
 * Opens the room at `path`, and draws it in `container`.
 *
 * - `room` is its name, `me` is ours, and `protocols` is what we offer the server.
 * - `countdown` is an element that stands beside the state, if the page has one.
 * - `typing` says whether the server understands that we are typing.
 * - `ask` is the question that tells why a connection failed, from server.js.
 * - `onConnecting` is called with each new socket, before it is open.
 * - `onClose` is called when it has closed, with the event and whether it had been open. It
 *   returns true if the page connects again by itself.
 * - `onLeft` is called when the form of the page is the way back: somebody has left the
 *   room, or did not get in. Otherwise the room has a button for it.
 * - `onSignedOut`, on pages with sign-in, is called when only a new one can help, with a
 *   sentence that says so. The room is gone then.
 * - `makeDelivery`, on pages that send again what may be lost, is called with our name and
 *   the room's. What it returns says how each connection begins (`query`), takes what we
 *   say, connected or not (`say`), and what comes (`receive`), and is told when a connection
 *   has ended (`disconnected`).
 *
 * Returns `connect`, which connects again, and `end`, which removes the room. Who has left a
 * room, and opens the same one, connects again.
 */
export function openRoom(container, path, options) {
  const { room, me, protocols = [], typing, countdown = "", ask = askServer } = options;
  const key = JSON.stringify([path, me, protocols]);
  document.activeElement?.blur(); // Whoever opens a room wants to write there.
  const last = conversations.get(container);
  if (last?.key === key) {
    last.connect();
    return last;
  }
  last?.end(); // What it still receives comes too late.

  const state = make("output", { id: "state" });
  const again = make("button", { type: "button", textContent: "Connect again" });
  const people = make("ul", { id: "people", ariaLabel: "Online", hidden: true });
  const log = make("ol", { id: "log", tabIndex: 0 });
  const messages = make("div", { role: "log", ariaLabel: "Messages" }, log);
  const typists = make("p", { id: "typists" });
  const text = make("input", { name: "text", autocomplete: "off", required: true });
  const label = make("label", {}, "Say ", text);
  const send = make("button", { textContent: "Send" });
  const talk = make("fieldset", { id: "talk" }, label, send);
  const form = make("form", { id: "say" }, talk);
  const status = make("p", { className: "status" }, state, countdown, again);
  const projector = makeProjector(room, [status, messages]);
  const leave = make("button", { type: "button", textContent: "Leave" });
  const name = make("h2", { textContent: `#${room}` });
  const bar = make("div", { className: "bar" }, name, projector.button, leave);
  container.replaceChildren(bar, status, people, messages, typists, form);

  let socket;
  let wasIn = false; // Whether we have been in this room.
  let isLeaving = false;
  let isGone = false;
  let lastTyping = 0;
  let lastSeq; // The number of the last chat, if the server numbers them.
  let resumedAfter;
  const typingNow = new Set();
  const drafts = keepDrafts(text);
  const delivery = options.makeDelivery?.(me, room);

  function connect() {
    socket = new WebSocket(delivery ? `${path}?${delivery.query()}` : path, protocols);
    const mine = socket;
    let opened = false;
    isLeaving = false;
    leave.hidden = false;
    form.hidden = false;
    again.hidden = true;
    document.title = `#${room} – ${TITLE}`;
    showInAddress(room);
    show("Connecting …");
    options.onConnecting?.(socket);

    socket.addEventListener("open", () => {
      opened = true;
      if (isLeaving || mine !== socket) return mine.close(1000);

      show(`Connected as ${me}.`);
      const isOnProjector = log.closest("dialog"); // The field is out of reach then.
      takeFocus(isOnProjector ? log : text, container);
      projector.update();
      if (lastSeq === undefined) return;

      resumedAfter = lastSeq; // Other messages may come before the answer does.
      socket.send(JSON.stringify({ type: "resume", after: resumedAfter }));
    });

    socket.addEventListener("message", ({ data }) => {
      const message = parse(data);
      if (!delivery?.receive(message, mine)) draw(message);
    });

    // Once: a heartbeat may give up a connection before the browser does.
    const close = (event) => onClose(event, opened);
    socket.addEventListener("close", close, { once: true });
  }

  async function onClose(event, opened) {
    if (isGone || event.target !== socket) return;

    wasIn ||= opened && (delivery || event.code !== NAME_TAKEN);
    delivery?.disconnected();
    typingNow.clear();
    drawTypists();
    people.hidden = true;
    drafts.lost();
    show(explain(event));
    const isRetrying = options.onClose?.(event, opened);
    if (event.code === NOT_AUTHENTICATED && options.onSignedOut)
      return signOut(explain(event));

    // There is one way back, and the keyboard is there.
    if (isLeaving || !(wasIn || isRetrying)) {
      goOut();
    } else {
      again.hidden = false;
      if (talk.disabled) takeFocus(again, container);
    }
    if (event.code !== ABNORMAL_CLOSURE) return;

    const { status, sentence } = await ask(opened);
    // Meanwhile we may have connected again, or somebody may have opened another room.
    if (event.target !== socket || !state.isConnected) return;

    show(`${explain(event)} ${sentence}`);
    if (status === 401) signOut(sentence);
  }

  /** What was said stays on the page. */
  function goOut() {
    leave.hidden = true;
    again.hidden = true;
    form.hidden = true;
    document.title = TITLE;
    options.onLeft?.();
  }

  function signOut(sentence) {
    if (!options.onSignedOut) return; // This page has no sign-in.

    end();
    options.onSignedOut(sentence);
  }

  function end() {
    isGone = true;
    isLeaving = true; // A connection that opens too late is closed at once.
    if (socket.readyState === WebSocket.OPEN) socket.close(1000);
    conversations.delete(container);
    container.replaceChildren();
    document.title = TITLE;
  }

  again.addEventListener("click", connect);

  leave.addEventListener("click", () => {
    isLeaving = true;
    if (socket.readyState === WebSocket.OPEN) {
      socket.close(1000);
      show("Leaving …");
    } else {
      goOut();
    }
  });

  form.addEventListener("submit", (event) => {
    event.preventDefault();
    if (delivery) {
      if (delivery.say(text.value)) form.reset();
      return;
    }

    socket.send(JSON.stringify({ type: "chat", content: text.value }));
    drafts.sent(text.value);
    form.reset();
    lastTyping = 0; // A chat ends our typing: the next letter begins it again.
  });

  text.addEventListener("input", () => {
    if (!typing || Date.now() - lastTyping < ONE_SECOND) return;

    socket.send(JSON.stringify({ type: "typing" }));
    lastTyping = Date.now();
  });

  function draw(message) {
    switch (message.type) {
      case "chat":
        drawChat(message);
        answered(message);
        break;
      case "private":
        write(
          `${kind(message)} private`,
          message.content,
          `${byline(message)}, for ${message.to} alone`,
        );
        answered(message);
        break;
      case "missed":
        drafts.forget();
        write("problem", `We were too slow, and missed ${message.count} messages.`);
        break;
      case "user_joined":
        write("notice", `${message.username} joined.`);
        projector.update();
        break;
      case "user_left":
        write("notice", `${message.username} left.`);
        drawTypist(message.username, false);
        projector.update();
        break;
      case "online_users":
        drawPeople(message.users);
        break;
      case "typing":
        drawTypist(message.username, message.is_typing);
        break;
      case "history":
        if (message.messages.length === 0) break;
        drawHistory(message.messages);
        break;
      case "pong":
        break; // It shows that the server is there. People need not see it.
      case "resumed":
        drawMissed(message);
        break;
      case "error":
        write("problem", message.message);
        drafts.refused();
        break;
      default:
        write("problem", `This page does not know the type “${message.type}”.`);
    }
  }

  function drawChat(chat) {
    const entry = write(kind(chat), chat.content, byline(chat));
    entry.style.setProperty("--hue", hueOf(chat.from)); // For the projector.
    if (chat.seq === undefined) return;

    entry.dataset.seq = chat.seq;
    lastSeq = chat.seq;
  }

  /** It repeats what we had before we connected again, but not what nobody has heard. */
  function drawHistory(messages) {
    const unheard = log.querySelectorAll("li:has(button)");
    log.replaceChildren();
    messages.forEach(drawChat);
    write("notice", "All this was said before you came.");
    log.append(...unheard);
    log.scrollTop = log.scrollHeight;
  }

  /** What was said while we were away. Some of it may have come before this answer. */
  function drawMissed({ complete, messages }) {
    for (const entry of log.querySelectorAll("[data-seq]")) {
      if (!complete || entry.dataset.seq > resumedAfter) entry.remove();
    }
    if (!complete) {
      write("notice", "Some messages are lost. This is what the server still has.");
      lastSeq = 0;
    }
    messages.forEach(drawChat);
  }

  function answered({ from, content }) {
    if (from === me) drafts.accepted(content);
  }

  function kind({ from }) {
    return from === me ? "sent" : "received";
  }

  function drawTypist(name, isTyping) {
    if (isTyping) typingNow.add(name);
    else typingNow.delete(name);
    drawTypists();
  }

  function drawTypists() {
    const names = new Intl.ListFormat("en").format(typingNow);
    const verb = typingNow.size === 1 ? "is" : "are";
    typists.textContent = names && `${names} ${verb} typing …`;
  }

  /** Who is still here keeps the entry, and so the keyboard, if it is there. */
  function drawPeople(names) {
    for (const entry of [...people.children])
      if (!names.includes(entry.dataset.name)) entry.remove();
    names.forEach((name, i) => {
      const entry = people.children[i];
      if (entry?.dataset.name !== name) people.insertBefore(person(name), entry);
    });
    while (people.childElementCount > names.length) people.lastChild.remove();
    people.hidden = false;
  }

  /** A name in the list. A click on it begins a private message. */
  function person(name) {
    const choose = make("button", { type: "button", textContent: name });
    choose.addEventListener("click", () => {
      text.value = `/pm ${name} `;
      text.focus();
    });
    const entry = make("li", {}, name === me ? `${name} (you)` : choose);
    entry.dataset.name = name;
    return entry;
  }

  function show(sentence) {
    state.value = sentence;
    const isOpen = socket.readyState === WebSocket.OPEN;
    state.classList.toggle("closed", !isOpen);
    talk.disabled = !(isOpen || delivery);
  }

  const conversation = { key, connect, end };
  conversations.set(container, conversation);
  connect();
  return conversation;
}

function parse(data) {
  try {
    return JSON.parse(data) ?? {};
  } catch {
    return { type: "error", message: `This is not JSON: ${data}` };
  }
}

/** Who said it, and when by the clock of this computer. */
export function byline({ from, timestamp }) {
  const time = new Date(timestamp).toLocaleTimeString([], { timeStyle: "short" });
  return `${from}, ${time}`;
}
