// Lesson 06, the browser's half.
//
// A message is an object with a `type`: `JSON.stringify` on the way out,
// `JSON.parse` on the way in, and a `switch` where Rust has a `match`.

import { explain } from "./closing.js";
import { write } from "./log.js";

const state = document.querySelector("#state");
const enter = document.querySelector("#enter");
const door = document.querySelector("#door");
const form = document.querySelector("#say");
const talk = document.querySelector("#talk");
const ping = document.querySelector("#ping");
const leave = document.querySelector("#leave");
const wrong = document.querySelector("#wrong");

let socket;

enter.addEventListener("submit", (event) => {
  event.preventDefault();
  connect(`/ws/${encodeURIComponent(enter.elements.username.value)}`);
});

function connect(path) {
  socket = new WebSocket(path);
  show("Connecting …");

  socket.addEventListener("open", () => {
    show("Connected.");
    form.elements.text.focus();
  });

  socket.addEventListener("message", ({ data }) => {
    write("heard", inWords(JSON.parse(data)), data);
  });

  socket.addEventListener("close", (event) => {
    show(explain(event));
  });
}

form.addEventListener("submit", (event) => {
  event.preventDefault();
  send(JSON.stringify({ type: "chat", content: form.elements.text.value }));
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
  write("said", text);
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
  door.disabled = socket.readyState !== WebSocket.CLOSED;
}
