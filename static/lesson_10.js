// Lesson 10, the browser's half: a page that asks for too much, to see what the server
// says. What a person does by hand keeps to every limit.

import { explain } from "./close-codes.js";
import { keepAlive } from "./heartbeat.js";
import { write } from "./log.js";
import { openRoom } from "./room.js";
import { whoAmI } from "./server.js";

/** How long a new socket may take to be turned away. Then we count it as let in. */
const ONE_SECOND = 1000;

const form = document.querySelector("#sign-in");
const fields = document.querySelector("#sign-in fieldset");
const answer = document.querySelector("#answer");
const container = document.querySelector("#room");
const limits = document.querySelector("#limits");
const { username, password, room } = form.elements;

/** The socket of the room. */
let socket;

form.addEventListener("submit", async (event) => {
  event.preventDefault();

  fields.disabled = true;
  const signedIn = await signIn();
  fields.disabled = false;

  if (signedIn) enter();
  else password.focus();
});

limits.addEventListener("click", ({ target }) => {
  if (target.name === "some") talk(30);
  if (target.name === "many") talk(300);
  if (target.name === "tabs") openTabs(10);
});

/** Gets the cookie for the name and the password; or says why not. */
async function signIn() {
  try {
    const reply = await fetch("/login", {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ username: username.value, password: password.value }),
    });
    if (!reply.ok) answer.value = await reply.text();
    return reply.ok;
  } catch {
    answer.value = "No server answers.";
    return false;
  }
}

function enter() {
  password.value = "";
  openRoom(container, `/ws/chat/${encodeURIComponent(room.value)}`, {
    me: username.value,
    ask: (opened) => whoAmI(undefined, opened),
    onConnecting: (connecting) => {
      socket = connecting;
      keepAlive(socket);
      socket.addEventListener("open", () => {
        limits.hidden = false;
      });
      form.hidden = true;
      answer.value = "";
    },
    onClose: () => {
      form.hidden = false;
      limits.hidden = true;
    },
    onSignedOut: (sentence) => {
      answer.value = sentence;
      password.focus();
    },
  });
}

function talk(times) {
  for (let i = 1; i <= times; i += 1) {
    socket.send(JSON.stringify({ type: "chat", content: `${i} of ${times}` }));
  }
}

/** Opens sockets as if each were a tab of its own, and says what became of them. */
async function openTabs(count) {
  const tabs = Array.from({ length: count }, (_, i) => tab(`${room.value}-${i}`));
  const endings = (await Promise.all(tabs)).filter(Boolean);

  write("notice", `${count - endings.length} of ${count} connections were let in.`);
  if (endings.length) write("problem", `The others: ${endings[0]}`);
}

/** Opens a socket, and closes it a second later. Says why, if the server was faster. */
function tab(name) {
  return new Promise((resolve) => {
    const extra = new WebSocket(`/ws/chat/${encodeURIComponent(name.slice(-40))}`);
    extra.addEventListener("open", () => {
      setTimeout(() => {
        resolve();
        extra.close(1000);
      }, ONE_SECOND);
    });
    extra.addEventListener("close", (event) => resolve(explain(event)));
  });
}
