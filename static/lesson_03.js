// Lesson 03, the browser's half.
//
// The server does not send our own words back to us, so we write them down
// ourselves. All other lines are news: from the server, or from another window.

import { explain } from "./closing.js";
import { write } from "./log.js";

const state = document.querySelector("#state");
const again = document.querySelector("#again");
const form = document.querySelector("#say");
const talk = document.querySelector("#talk");

let socket;

function connect() {
  socket = new WebSocket("/ws");
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

again.addEventListener("click", connect);

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
  again.hidden = socket.readyState !== WebSocket.CLOSED;
}

connect();
