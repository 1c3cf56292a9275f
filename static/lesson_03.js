// Lesson 03, the browser's half.
//
// The server does not send our own messages back to us, so we log them ourselves. What
// we receive comes from the server itself, or from another window.

import { ABNORMAL_CLOSURE, explain } from "./close-codes.js";
import { takeFocus } from "./elements.js";
import { write } from "./log.js";
import { askServer } from "./server.js";

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
    takeFocus(form.elements.text);
  });

  socket.addEventListener("message", ({ data }) => {
    write("received", data);
  });

  socket.addEventListener("close", async (event) => {
    show(explain(event));
    takeFocus(again);
    if (event.code !== ABNORMAL_CLOSURE) return;

    const { sentence } = await askServer();
    if (event.target === socket) show(`${explain(event)} ${sentence}`);
  });
}

again.addEventListener("click", connect);

form.addEventListener("submit", (event) => {
  event.preventDefault();

  const text = form.elements.text.value;
  socket.send(text);
  write("sent", text);
  form.reset();
});

function show(sentence) {
  state.value = sentence;
  talk.disabled = socket.readyState !== WebSocket.OPEN;
  again.hidden = socket.readyState !== WebSocket.CLOSED;
}

connect();
