// The chat room: one conversation over one socket.
//
// It draws what the server sends, and only that: who is online, who is typing,
// private messages and what was said before appear when a server sends them.

import { explain } from "./closing.js";
import { write } from "./log.js";

/** How often we tell the server, at most, that we are typing. */
const ONE_SECOND = 1000;

/**
 * Opens the room at `path`, and draws it in `place`.
 *
 * `me` is our name; `protocols` is what we offer the server. `typing` means that the
 * server wants to hear when we type. The room calls `entering` with the new socket when
 * it starts to connect; and `left` when the socket has closed, with the event and a
 * function that shows another sentence about it.
 *
 * Returns a function that connects again.
 */
export function openRoom(place, path, { me, protocols, typing, entering, left }) {
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
  place.replaceChildren(status, people, messages, form, typists);

  let socket;
  let lastTold = 0;
  let lastSeen; // The number of the last chat, if the server numbers them.
  let askedAfter;
  const typingNow = new Set();

  function connect() {
    socket = new WebSocket(path, protocols);
    show("Connecting …");
    entering(socket);

    socket.addEventListener("open", () => {
      show(`Connected as ${me}.`);
      text.focus();
      if (lastSeen === undefined) return;

      askedAfter = lastSeen; // History and news may come before the answer does.
      socket.send(JSON.stringify({ type: "resume", after: askedAfter }));
    });

    socket.addEventListener("message", ({ data }) => {
      draw(parse(data));
    });

    // Once: a heartbeat may give the line up before the browser does.
    const end = (event) => {
      typingNow.clear();
      drawTypists();
      people.hidden = true;
      show(explain(event));
      left(event, show);
      again.hidden = false;
    };
    socket.addEventListener("close", end, { once: true });
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
    lastTold = 0; // A chat ends our typing: the next letter is news.
  });

  text.addEventListener("input", () => {
    if (!typing || Date.now() - lastTold < ONE_SECOND) return;

    socket.send(JSON.stringify({ type: "typing" }));
    lastTold = Date.now();
  });

  function draw(message) {
    switch (message.type) {
      case "chat":
        drawChat(message);
        break;
      case "private":
        write(
          `${side(message)} private`,
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
        log.replaceChildren(); // After a new connection, old lines come back in it.
        message.messages.forEach(draw);
        write("notice", "All this was said before you came.");
        break;
      case "pong":
        break; // A sign of life, and no news for people.
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
    const line = write(side(chat), chat.content, byline(chat));
    if (chat.seq === undefined) return;

    line.dataset.seq = chat.seq;
    lastSeen = chat.seq;
  }

  /** What was said while we were away. Some of it may have come on other ways. */
  function drawMissed({ complete, messages }) {
    for (const line of log.querySelectorAll("[data-seq]")) {
      if (!complete || line.dataset.seq > askedAfter) line.remove();
    }
    if (!complete) {
      write("notice", "Some messages are lost. This is what the server still has.");
      lastSeen = 0;
    }
    messages.forEach(drawChat);
  }

  function side({ from }) {
    return from === me ? "said" : "heard";
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

  /** A name in the list. To choose it is to begin a private message. */
  function person(name) {
    if (name === me) return make("li", {}, `${name} (you)`);

    const whisper = make("button", { type: "button", textContent: name });
    whisper.addEventListener("click", () => {
      text.value = `/pm ${name} `;
      text.focus();
    });
    return make("li", {}, whisper);
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

/** Makes an element. A text among its `children` stays text, whatever is in it. */
function make(tag, properties, ...children) {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...children);
  return element;
}
