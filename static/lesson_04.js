// Lesson 04, the browser's half.
//
// The id is a part of the path. When the server rejects it, the socket never opens, and
// "close" comes with code 1006, as it does when a connection is lost.

import { ABNORMAL_CLOSURE, explain } from "./close-codes.js";
import { takeFocus } from "./elements.js";
import { write } from "./log.js";
import { askServer } from "./server.js";

const state = document.querySelector("#state");
const join = document.querySelector("#join");
const fields = document.querySelector("#join fieldset");
const back = document.querySelector("#join fieldset > button");
const form = document.querySelector("#say");
const talk = document.querySelector("#talk");
const leave = document.querySelector("#leave");

let socket;

join.addEventListener("submit", (event) => {
  event.preventDefault();

  // Encoded, so that a slash or a question mark stays part of the id.
  connect(`/ws/${encodeURIComponent(join.elements.client.value)}`);
});

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
    write("received", data);
  });

  socket.addEventListener("close", async (event) => {
    show(explain(event));
    takeFocus(back); // The way back is the form.
    if (event.code !== ABNORMAL_CLOSURE) return;

    const { sentence } = await askServer(opened);
    if (event.target === socket) show(`${explain(event)} ${sentence}`);
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
  write("sent", text);
  form.reset();
});

function show(sentence) {
  state.value = sentence;
  talk.disabled = socket.readyState !== WebSocket.OPEN;
  fields.disabled = socket.readyState !== WebSocket.CLOSED;
}
