// Lesson 04, the browser's half.
//
// The id is a part of the path. When the server refuses it, the socket never
// opens, and "close" comes with code 1006, as it does for a dropped line.

import { explain } from "./closing.js";
import { write } from "./log.js";

const state = document.querySelector("#state");
const enter = document.querySelector("#enter");
const door = document.querySelector("#door");
const form = document.querySelector("#say");
const talk = document.querySelector("#talk");
const leave = document.querySelector("#leave");

let socket;

enter.addEventListener("submit", (event) => {
  event.preventDefault();

  // Encoded, so that a slash or a question mark stays part of the id.
  connect(`/ws/${encodeURIComponent(enter.elements.client.value)}`);
});

function connect(path) {
  socket = new WebSocket(path);
  show("Connecting …");

  socket.addEventListener("open", () => {
    show("Connected.");
    form.elements.text.focus();
  });

  socket.addEventListener("message", ({ data }) => {
    write("heard", data);
  });

  socket.addEventListener("close", (event) => {
    show(explain(event));
  });
}

leave.addEventListener("click", () => {
  socket.close(1000);
  show("Closing …");
});

form.addEventListener("submit", (event) => {
  event.preventDefault();

  const text = form.elements.text.value;
  socket.send(text);
  write("said", text);
  form.reset();
});

function show(sentence) {
  state.value = sentence;
  talk.disabled = socket.readyState !== WebSocket.OPEN;
  door.disabled = socket.readyState !== WebSocket.CLOSED;
}
