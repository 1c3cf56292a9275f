// Lesson 01, the browser's half.
//
// Three events of a WebSocket matter here: it opened, it received a message, it closed.
// There is one listener for each.

import { ABNORMAL_CLOSURE, explain } from "./close-codes.js";
import { takeFocus } from "./elements.js";
import { write } from "./log.js";
import { askServer } from "./server.js";

const state = document.querySelector("#state");
const again = document.querySelector("#again");
const form = document.querySelector("#say");
const talk = document.querySelector("#talk");
const bytes = document.querySelector("#bytes");

let socket;

function connect() {
  // A path is enough: the browser adds our host, and ws: or wss: to match.
  socket = new WebSocket("/ws");
  socket.binaryType = "arraybuffer"; // Otherwise bytes come as a Blob, a file.
  show("Connecting …");

  socket.addEventListener("open", () => {
    show("Connected.");
    takeFocus(form.elements.text);
  });

  socket.addEventListener("message", ({ data }) => {
    write("received", typeof data === "string" ? data : list(data));
  });

  // Why no listener for "error"? A "close" always follows it, and says more.
  socket.addEventListener("close", async (event) => {
    show(explain(event));
    takeFocus(again);
    if (event.code !== ABNORMAL_CLOSURE) return;

    const { sentence } = await askServer();
    // Unless somebody was faster, and the page connects again already.
    if (event.target === socket) show(`${explain(event)} ${sentence}`);
  });
}

again.addEventListener("click", connect);

form.addEventListener("submit", (event) => {
  event.preventDefault(); // Stay on this page.

  const text = form.elements.text.value;
  socket.send(text);
  write("sent", text);
  form.reset();
});

bytes.addEventListener("click", () => {
  // No text could carry these: 128 and 255 are not valid UTF-8 here.
  const { buffer } = new Uint8Array([0, 127, 128, 255]);

  socket.send(buffer);
  write("sent", list(buffer));
});

/** Shows the state of the socket, and enables what can be done in it. */
function show(sentence) {
  state.value = sentence;
  talk.disabled = socket.readyState !== WebSocket.OPEN;
  again.hidden = socket.readyState !== WebSocket.CLOSED;
}

function list(buffer) {
  return `${buffer.byteLength} bytes: ${new Uint8Array(buffer).join(" ")}`;
}

connect();
