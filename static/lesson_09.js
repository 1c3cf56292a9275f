// Lesson 09, the browser's half: a line can die without a word to either side. The
// server asks for signs of life, and the browser answers by itself. We ask the server as
// well, because nobody else would tell us that it has gone.

import { keepAlive } from "./heartbeat.js";
import { openRoom } from "./room.js";
import { whoAmI } from "./server.js";

const form = document.querySelector("#sign-in");
const fields = document.querySelector("#sign-in fieldset");
const answer = document.querySelector("#answer");
const container = document.querySelector("#room");
const pulse = document.querySelector("#pulse");
const heard = document.querySelector("#heard");
const { username, password, room } = form.elements;

form.addEventListener("submit", async (event) => {
  event.preventDefault();

  fields.disabled = true;
  const signedIn = await signIn();
  fields.disabled = false;

  if (signedIn) enter();
  else password.focus();
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
    onConnecting: (socket) => {
      form.hidden = true;
      keepAlive(socket, () => {
        pulse.hidden = false;
        heard.textContent = new Date().toLocaleTimeString();
      });
    },
    onClose: () => {
      answer.value = "";
      form.hidden = false;
    },
    onSignedOut: (sentence) => {
      answer.value = sentence;
      password.focus();
    },
  });
}
