// Lesson 24, the browser's half: the server says when it goes away, and this page comes
// back by itself when there is one again.
//
// The token is still valid then, if the next server has the same JWT_SECRET. If not, the
// page finds that out over HTTP, and asks for the password again.

import { explain } from "./close-codes.js";
import { keepAlive } from "./heartbeat.js";
import { write } from "./log.js";
import { reconnect } from "./reconnect.js";
import { openRoom } from "./room.js";
import { whoAmI } from "./server.js";

const form = document.querySelector("#sign-in");
const fields = document.querySelector("#sign-in fieldset");
const answer = document.querySelector("#answer");
const pause = document.querySelector("#pause");
const countdown = document.querySelector("#countdown");
const enough = document.querySelector("#enough");
const container = document.querySelector("#room");
const { username, password, room, subprotocol } = form.elements;

let connect;
const tries = reconnect({
  connect: () => connect(),
  onWait: count,
  onGiveUp: () => showForm(true),
});

form.addEventListener("submit", async (event) => {
  event.preventDefault();

  fields.disabled = true;
  const token = await signIn();
  fields.disabled = false;

  if (token) enter(token);
  else password.focus();
});

enough.addEventListener("click", () => {
  tries.stop();
  showForm(true);
});

/** Gets a token for the name and the password; or says why not, and gives nothing. */
async function signIn() {
  try {
    const reply = await fetch("/login", {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ username: username.value, password: password.value }),
      credentials: subprotocol.checked ? "omit" : "same-origin",
    });
    if (reply.ok) return (await reply.json()).token;

    answer.value = await reply.text();
  } catch {
    answer.value = "No server answers.";
  }
}

function enter(token) {
  password.value = "";
  const bearer = subprotocol.checked ? token : undefined;
  connect = openRoom(container, `/ws/chat/${encodeURIComponent(room.value)}`, {
    me: username.value,
    protocols: bearer ? ["chat.v1", `bearer.${bearer}`] : [],
    ask: (opened) => whoAmI(bearer, opened),
    onConnecting: (socket) => {
      form.hidden = true;
      countdown.textContent = "We try now.";
      keepAlive(socket);
      tries.follow(socket);
      socket.addEventListener("open", () => {
        pause.hidden = true;
      });
    },
    onClose: (event, opened) => {
      // The tries that follow do not know why the connection ended.
      if (opened) write("notice", explain(event));
      answer.value = "";
    },
    onSignedOut: (sentence) => {
      tries.stop(); // With this token, no try can succeed.
      answer.value = sentence;
      showForm(true);
      password.focus();
    },
  });
}

/** Shows the form, or else the countdown to the next try. */
function showForm(shown) {
  pause.hidden = shown;
  form.hidden = !shown;
}

function count(milliseconds) {
  showForm(false);
  countdown.textContent = `We try again in ${Math.ceil(milliseconds / 1000)} s.`;
}
