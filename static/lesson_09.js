// Lesson 09, the browser's half: a line can die without a word to either side. The
// server asks for signs of life, and the browser answers by itself. We ask the server as
// well, because nobody else would tell us that it has gone.

import { explain } from "./closing.js";
import { keepAlive } from "./heartbeat.js";
import { openRoom } from "./room.js";

/** "Not (or no longer) signed in": the code that only a new token can help with. */
const SIGNED_OUT = 4001;

const form = document.querySelector("#sign-in");
const fields = document.querySelector("#sign-in fieldset");
const answer = document.querySelector("#answer");
const place = document.querySelector("#room");
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
  openRoom(place, `/ws/chat/${encodeURIComponent(room.value)}`, {
    me: username.value,
    entering: (socket) => {
      form.hidden = true;
      keepAlive(socket, () => {
        pulse.hidden = false;
        heard.textContent = new Date().toLocaleTimeString();
      });
    },
    left: (event) => {
      const signedOut = event.code === SIGNED_OUT;
      if (signedOut) place.replaceChildren();
      answer.value = signedOut ? explain(event) : "";
      form.hidden = false;
    },
  });
}
