// Lesson 02, the browser's half.
//
// The "close" event carries all that a page ever learns about the end: a code, a reason
// in words, and whether the closing handshake was complete (`wasClean`).

import { ABNORMAL_CLOSURE, explain } from "./close-codes.js";
import { takeFocus } from "./elements.js";
import { write } from "./log.js";
import { askServer } from "./server.js";

const state = document.querySelector("#state");
const again = document.querySelector("#again");
const form = document.querySelector("#say");
const talk = document.querySelector("#talk");
const bye = document.querySelector("#bye");
const leave = document.querySelector("#leave");
const count = document.querySelector("#count");
const ask = document.querySelector("#ask");

let socket;

function connect() {
  socket = new WebSocket("/ws");
  show("Connecting …");
  showClose("not yet", "not yet", "not yet");

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
    showClose(event.code, event.reason || "none given", event.wasClean);
    if (event.code !== ABNORMAL_CLOSURE) return;

    const { sentence } = await askServer();
    if (event.target === socket) show(`${explain(event)} ${sentence}`);
  });
}

again.addEventListener("click", connect);

form.addEventListener("submit", (event) => {
  event.preventDefault();
  send(form.elements.text.value);
  form.reset();
});

bye.addEventListener("click", () => {
  send("bye");
});

leave.addEventListener("click", () => {
  // A script may choose 1000 or a code from 3000 to 4999: any other is an exception.
  socket.close(1000, "I have to go.");
  // It is not over yet. The server answers our Close, and then "close" comes.
  show("Closing …");
});

ask.addEventListener("click", async () => {
  try {
    const answer = await fetch("/connections");
    const clients = Number(await answer.text());
    count.value = clients === 1 ? "1 connection." : `${clients} connections.`;
  } catch {
    count.value = "No server answers.";
  }
});

function send(text) {
  socket.send(text);
  write("sent", text);
}

function show(sentence) {
  state.value = sentence;
  talk.disabled = socket.readyState !== WebSocket.OPEN;
  again.hidden = socket.readyState !== WebSocket.CLOSED;
}

function showClose(code, reason, clean) {
  document.querySelector("#code").value = code;
  document.querySelector("#reason").value = reason;
  document.querySelector("#clean").value = clean;
}

connect();
