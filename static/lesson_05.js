// Lesson 05, the browser's half.
//
// A script cannot add headers to a WebSocket, but it can add a query. A wrong token is a
// 401 that we cannot read. At the polite address the server accepts the connection first,
// and then closes it with a code and a reason that we can read.

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

  const { client, token, echo, polite } = join.elements;
  const id = encodeURIComponent(client.value);
  const path = polite.checked ? `/ws/${id}/polite` : `/ws/${id}`;
  // It encodes for us: a token may contain "+" or "&".
  const query = new URLSearchParams({ token: token.value, echo: echo.checked });
  connect(`${path}?${query}`);
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
