// The chat room: one conversation over one socket.
//
// It draws what the server sends, and only that: who is online, who is typing, private
// messages and the history appear when a server sends them.

import { ABNORMAL_CLOSURE, NOT_AUTHENTICATED, explain } from "./close-codes.js";
import { make } from "./elements.js";
import { write } from "./log.js";
import { askServer } from "./server.js";

/** How often we tell the server, at most, that we are typing. */
const ONE_SECOND = 1000;

/**
 * Opens the room at `path`, and draws it in `container`.
 *
 * - `me` is our name, and `protocols` is what we offer the server.
 * - `typing` says whether the server understands that we are typing.
 * - `mayFocus` says whether the field for what we say may take the keyboard when we are
 *   connected. A page with other fields has to know whether somebody is using them.
 * - `ask` is the question that tells why a connection failed, from server.js.
 * - `onConnecting` is called with each new socket, before it is open.
 * - `onClose` is called when it has closed, with the event and whether it had been open.
 * - `onSignedOut`, on pages with sign-in, is called when only a new one can help, with a
 *   sentence that says so. The room is gone then.
 *
 * Returns a function that connects again.
 */
export function openRoom(container, path, options) {
  const { me, protocols, typing, ask = askServer, mayFocus = () => true } = options;
  const state = make("output", { id: "state" });
  const again = make("button", { type: "button", textContent: "Connect again" });
  const leave = make("button", { type: "button", textContent: "Leave" });
  const people = make("ul", { id: "people", ariaLabel: "Online", hidden: true });
  const log = make("ol", { id: "log", tabIndex: 0 });
  const messages = make("div", { role: "log", ariaLabel: "Messages" }, log);
  const text = make("input", { name: "text", autocomplete: "off", required: true });
  const label = make("label", {}, "Say ", text);
  const send = make("button", { textContent: "Send" });
  const talk = make("fieldset", { id: "talk" }, label, send, leave);
  const form = make("form", { id: "say" }, talk);
  const typists = make("p", { id: "typists" });
  const status = make("p", { className: "status" }, state, again);
  container.replaceChildren(status, people, messages, form, typists);

  let socket;
  let lastTyping = 0;
  let lastSeq; // The number of the last chat, if the server numbers them.
  let resumedAfter;
  const typingNow = new Set();

  function connect() {
    socket = new WebSocket(path, protocols);
    let opened = false;
    show("Connecting …");
    options.onConnecting(socket);

    socket.addEventListener("open", () => {
      opened = true;
      show(`Connected as ${me}.`);
      if (mayFocus()) text.focus();
      if (lastSeq === undefined) return;

      resumedAfter = lastSeq; // Other messages may come before the answer does.
      socket.send(JSON.stringify({ type: "resume", after: resumedAfter }));
    });

    socket.addEventListener("message", ({ data }) => {
      draw(parse(data));
    });

    // Once: a heartbeat may give up a connection before the browser does.
    const close = (event) => onClose(event, opened);
    socket.addEventListener("close", close, { once: true });
  }

  async function onClose(event, opened) {
    typingNow.clear();
    drawTypists();
    people.hidden = true;
    show(explain(event));
    again.hidden = false;
    options.onClose(event, opened);
    if (event.code === NOT_AUTHENTICATED) signOut(explain(event));
    if (event.code !== ABNORMAL_CLOSURE) return;

    const { status, sentence } = await ask(opened);
    // Meanwhile we may have connected again, or somebody may have opened another room.
    if (event.target !== socket || !state.isConnected) return;

    show(`${explain(event)} ${sentence}`);
    again.hidden = false;
    if (status === 401) signOut(sentence);
  }

  function signOut(sentence) {
    if (!options.onSignedOut) return; // This page has no sign-in.

    container.replaceChildren();
    options.onSignedOut(sentence);
  }

  again.addEventListener("click", connect);

  leave.addEventListener("click", () => {
    socket.close(1000);
    show("Leaving …");
  });

  form.addEventListener("submit", (event) => {
    event.preventDefault();
    socket.send(JSON.stringify({ type: "chat", content: text.value }));
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
        break;
      case "private":
        write(
          `${kind(message)} private`,
          message.content,
          `${byline(message)}, for ${message.to} alone`,
        );
        break;
      case "missed":
        write("problem", `We were too slow, and missed ${message.count} messages.`);
        break;
      case "user_joined":
        write("notice", `${message.username} joined.`);
        break;
      case "user_left":
        write("notice", `${message.username} left.`);
        drawTypist(message.username, false);
        break;
      case "online_users":
        people.replaceChildren(...message.users.map(person));
        people.hidden = false;
        break;
      case "typing":
        drawTypist(message.username, message.is_typing);
        break;
      case "history":
        if (message.messages.length === 0) break;
        log.replaceChildren(); // It repeats what we had before we connected again.
        message.messages.forEach(draw);
        write("notice", "All this was said before you came.");
        break;
      case "pong":
        break; // It shows that the server is there. People need not see it.
      case "resumed":
        drawMissed(message);
        break;
      case "error":
        write("problem", message.message);
        break;
      default:
        write("problem", `This page does not know the type “${message.type}”.`);
    }
  }

  function drawChat(chat) {
    const entry = write(kind(chat), chat.content, byline(chat));
    if (chat.seq === undefined) return;

    entry.dataset.seq = chat.seq;
    lastSeq = chat.seq;
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

  /** A name in the list. A click on it begins a private message. */
  function person(name) {
    if (name === me) return make("li", {}, `${name} (you)`);

    const choose = make("button", { type: "button", textContent: name });
    choose.addEventListener("click", () => {
      text.value = `/pm ${name} `;
      text.focus();
    });
    return make("li", {}, choose);
  }

  function show(sentence) {
    state.value = sentence;
    talk.disabled = socket.readyState !== WebSocket.OPEN;
    again.hidden = true;
  }

  connect();
  return connect;
}

function parse(data) {
  try {
    return JSON.parse(data) ?? {};
  } catch {
    return { type: "error", message: `This is not JSON: ${data}` };
  }
}

/** Who said it, and when by the clock of this computer. */
function byline({ from, timestamp }) {
  const time = new Date(timestamp).toLocaleTimeString([], { timeStyle: "short" });
  return `${from}, ${time}`;
}
