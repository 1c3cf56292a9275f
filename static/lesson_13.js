// Lesson 13, the browser's half: the server says when it goes away, and this page comes
// back by itself when there is one again.
//
// The token is still good then, if the next server has the same JWT_SECRET. If it has
// not, it refuses us, and a page cannot read why: sign in again.

import { explain } from "./closing.js";
import { keepAlive } from "./heartbeat.js";
import { write } from "./log.js";
import { comeBack } from "./reconnect.js";
import { openRoom } from "./room.js";

const SIGNED_OUT = 4001;

const form = document.querySelector("#sign-in");
const fields = document.querySelector("#sign-in fieldset");
const answer = document.querySelector("#answer");
const pause = document.querySelector("#pause");
const countdown = document.querySelector("#countdown");
const enough = document.querySelector("#enough");
const place = document.querySelector("#room");
const { username, password, room, subprotocol } = form.elements;

let connect;
let isIn = false;
const back = comeBack({
  connect: () => connect(),
  tell: count,
  stay: () => stayAway(true),
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
  back.stop();
  stayAway(true);
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
  connect = openRoom(place, `/ws/chat/${encodeURIComponent(room.value)}`, {
    me: username.value,
    protocols: subprotocol.checked ? ["chat.v1", `bearer.${token}`] : [],
    entering: (socket) => {
      form.hidden = true;
      countdown.textContent = "We try now.";
      keepAlive(socket);
      back.follow(socket);
      socket.addEventListener("open", () => {
        pause.hidden = true;
        isIn = true;
      });
    },
    left: (event, show) => {
      // Tries that fail do not know why we had to go.
      if (isIn) write("notice", explain(event));
      else show("No server answers yet, or it refuses us.");
      isIn = false;

      const signedOut = event.code === SIGNED_OUT;
      if (signedOut) place.replaceChildren();
      answer.value = signedOut ? explain(event) : "";
    },
  });
}

/** Either we come back by ourselves, or somebody signs in again. */
function stayAway(forGood) {
  pause.hidden = forGood;
  form.hidden = !forGood;
}

function count(milliseconds) {
  stayAway(false);
  countdown.textContent = `We try again in ${Math.ceil(milliseconds / 1000)} s.`;
}
