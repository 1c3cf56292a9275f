// Lesson 10, the browser's half: a page that does more than a person could, to see what
// the server says. What people do by hand stays within the rate.

import { explain } from "./close-codes.js";
import { whoAmI } from "./server.js";
import { signInAndChat } from "./sign-in.js";

const formIn = document.querySelector("#sign-in-here");
const roomIn = document.querySelector("#room");
const buttons = document.querySelector("#buttons");
const result = document.querySelector("#result");

/** The socket of the room. */
let socket;

/** What became of the messages that a button has sent. */
let sent = 0;
let passed = 0;
let refused = 0;

signInAndChat(formIn, roomIn, {
  onConnecting: (connecting) => {
    socket = connecting;
    socket.addEventListener("open", () => {
      buttons.disabled = false;
      result.value = "";
    });
    socket.addEventListener("message", count);
  },
  onClose: () => {
    buttons.disabled = true;
  },
});

buttons.addEventListener("click", ({ target }) => {
  if (target.name === "some") send(30);
  if (target.name === "many") send(300);
  if (target.name === "visits") visit(20);
});

function send(times) {
  [sent, passed, refused] = [times, 0, 0];
  for (let i = 1; i <= times; i += 1) {
    socket.send(JSON.stringify({ type: "chat", content: `${i} of ${times}` }));
  }
}

/** Counts the answers. An error does not name its message, but they are in one order. */
function count({ data }) {
  const { type, content } = JSON.parse(data);
  if (sent === 0) return; // No button has sent anything yet.

  if (type === "chat" && content.endsWith(` of ${sent}`)) passed += 1;
  if (type === "error") refused += 1;
  const rest = sent - passed - refused;
  result.value = `Sent ${sent}: ${passed} passed, ${refused} were refused, ${rest} have no answer.`;
}

/** Joins another room and leaves it, again and again, and says how often that worked. */
async function visit(times) {
  sent = 0;
  buttons.disabled = true; // However often somebody clicks, we do it once.
  let letIn = 0;
  let rejection = "";
  for (let i = 0; i < times; i += 1) {
    const event = await joinAndLeave();
    if (event.code === 1000) letIn += 1;
    else rejection = ` The others: ${explain(event)}`;
  }
  buttons.disabled = socket.readyState !== WebSocket.OPEN;
  result.value = `Joined and left ${letIn} of ${times} times.${rejection}`;
  if (!rejection) return;

  // The server said 429, and when to try again. A browser does not show that to a script.
  const { sentence } = await whoAmI(undefined, false);
  result.value += ` ${sentence}`;
}

/** Opens a socket, and closes it at once. Resolves to the event of its end. */
function joinAndLeave() {
  return new Promise((resolve) => {
    const visitor = new WebSocket("/ws/chat/visits");
    visitor.addEventListener("open", () => visitor.close(1000));
    visitor.addEventListener("close", resolve);
  });
}
