// Lesson 06, the browser's half.
//
// A message is an object with a `type`: `JSON.stringify` on the way out,
// `JSON.parse` on the way in, and a `switch` where Rust has a `match`.

import { ABNORMAL_CLOSURE, explain } from "./close-codes.js";
import { keepDrafts } from "./drafts.js";
import { takeFocus } from "./elements.js";
import { write } from "./log.js";
import { USERNAME_LIMIT, limitLength, nameIn } from "./names.js";
import { askServer } from "./server.js";

const state = document.querySelector("#state");
const join = document.querySelector("#join");
const fields = document.querySelector("#join fieldset");
const back = document.querySelector("#join fieldset > button");
const form = document.querySelector("#say");
const talk = document.querySelector("#talk");
const ping = document.querySelector("#ping");
const leave = document.querySelector("#leave");
const wrong = document.querySelector("#wrong");
const { username } = join.elements;
const { text: words } = form.elements;

/** What we have said, and the server has not answered yet. */
const drafts = keepDrafts(words);

let socket;

join.addEventListener("submit", (event) => {
  event.preventDefault();
  connect(`/ws/${encodeURIComponent(nameIn(username))}`);
});

limitLength(username, USERNAME_LIMIT);

function connect(path) {
  socket = new WebSocket(path);
  let opened = false;
  show("Connecting …");

  socket.addEventListener("open", () => {
    opened = true;
    show("Connected.");
    takeFocus(form.elements.text);
  });

  socket.addEventListener("message", ({ data }) => {
    const message = JSON.parse(data);
    write("received", inWords(message), data);
    if (message.type === "error") drafts.refused();
    if (message.from === nameIn(username)) drafts.accepted(message.content);
  });

  socket.addEventListener("close", async (event) => {
    show(explain(event));
    drafts.lost();
    takeFocus(back); // The way back is the form.
    if (event.code !== ABNORMAL_CLOSURE) return;

    const { sentence } = await askServer(opened);
    if (event.target === socket) show(`${explain(event)} ${sentence}`);
  });
}

form.addEventListener("submit", (event) => {
  event.preventDefault();
  send(JSON.stringify({ type: "chat", content: words.value }));
  drafts.sent(words.value);
  form.reset();
});

ping.addEventListener("click", () => {
  send(JSON.stringify({ type: "ping" }));
});

wrong.addEventListener("submit", (event) => {
  event.preventDefault();
  send(wrong.elements.text.value);
});

leave.addEventListener("click", () => {
  socket.close(1000);
  show("Closing …");
});

function send(text) {
  socket.send(text);
  write("sent", text);
}

function inWords(message) {
  switch (message.type) {
    case "chat":
      return `${message.from}: ${message.content}`;
    case "user_joined":
      return `${message.username} joined.`;
    case "user_left":
      return `${message.username} left.`;
    case "pong":
      return "Pong!";
    case "error":
      return `Error: ${message.message}`;
    default:
      return `This page does not know the type “${message.type}”.`;
  }
}

function show(sentence) {
  state.value = sentence;
  talk.disabled = socket.readyState !== WebSocket.OPEN;
  fields.disabled = socket.readyState !== WebSocket.CLOSED;
}
