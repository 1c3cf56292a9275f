// Lesson 05, the browser's half.
//
// A script cannot add headers to a WebSocket, but it can add a query. A wrong
// token is a 401 that we cannot read; at the polite address the server lets us in
// first, and then closes with a code and a reason that we can.

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

  const { client, token, echo, polite } = enter.elements;
  const path = `/ws/${encodeURIComponent(client.value)}${polite.checked ? "/polite" : ""}`;
  // It encodes for us: a token may well contain "+" or "&".
  const query = new URLSearchParams({ token: token.value, echo: echo.checked });
  connect(`${path}?${query}`);
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
