// Lesson 08, the browser's half: the server no longer believes a name, it wants a
// token. We get one for a password, and a WebSocket cannot carry it in a header.
//
// The server also puts it in a cookie which no script can read. The browser sends
// that along with every socket to this host, so most pages need no more.

import { openRoom } from "./room.js";
import { explain } from "./closing.js";

/** "Not (or no longer) signed in": the code that only a new token can help with. */
const SIGNED_OUT = 4001;

const form = document.querySelector("#sign-in");
const fields = document.querySelector("#sign-in fieldset");
const answer = document.querySelector("#answer");
const place = document.querySelector("#room");
const { username, password, room, subprotocol } = form.elements;

form.addEventListener("submit", async (event) => {
  event.preventDefault();

  fields.disabled = true; // However often somebody clicks, we ask once.
  const token = await signIn();
  fields.disabled = false;

  if (token) enter(token);
  else password.focus();
});

/** Gets a token for the name and the password; or says why not, and gives nothing. */
async function signIn() {
  try {
    const reply = await fetch("/login", {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ username: username.value, password: password.value }),
      credentials: subprotocol.checked ? "omit" : "same-origin", // Take the cookie?
    });
    if (reply.ok) return (await reply.json()).token;

    answer.value = await reply.text();
  } catch {
    answer.value = "No server answers.";
  }
}

function enter(token) {
  password.value = ""; // The token stands for it from now on.
  openRoom(place, `/ws/chat/${encodeURIComponent(room.value)}`, {
    me: username.value,
    // The one header that a script can fill: a list of protocols, of which the
    // server picks the first. The token rides along as the second.
    protocols: subprotocol.checked ? ["chat.v1", `bearer.${token}`] : [],
    entering: () => {
      form.hidden = true;
    },
    left: (event) => {
      const signedOut = event.code === SIGNED_OUT;
      if (signedOut) place.replaceChildren();
      answer.value = signedOut ? explain(event) : "";
      form.hidden = false;
    },
  });
}
