// Lesson 08, the browser's half: the server asks for a token, and not for a name. We get
// one for a password, and a WebSocket cannot send it in a header.
//
// The server also puts it in a cookie, which no script can read. The browser sends that
// along with every socket to this host, so most pages need no more.

import { offerPeople, wayBack } from "./be-buttons.js";
import { takeFocus } from "./elements.js";
import {
  ROOM_NAME_LIMIT,
  followAddress,
  limitLength,
  nameIn,
  recallName,
  rememberName,
} from "./names.js";
import { openRoom } from "./room.js";
import { ANSWER_TIMEOUT, notSignedIn, whoAmI } from "./server.js";
import { nameSockets } from "./xray.js";

const form = document.querySelector("#sign-in");
const fields = document.querySelector("#sign-in fieldset");
const answer = document.querySelector("#answer");
const container = document.querySelector("#room");
const { username, password, room, subprotocol } = form.elements;

form.addEventListener("submit", async (event) => {
  event.preventDefault();

  fields.disabled = true; // However often somebody clicks, we ask once.
  const user = await signIn();
  fields.disabled = false;

  if (user) enter(user);
  else password.focus();
});

limitLength(room, ROOM_NAME_LIMIT);
recallName(username);
followAddress(room);
offerPeople(form);
answer.value = notSignedIn();

/** Gets a token for the name and the password; or says why not, and returns nothing. */
async function signIn() {
  try {
    const reply = await fetch("/login", {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ username: username.value, password: password.value }),
      credentials: subprotocol.checked ? "omit" : "same-origin", // Take the cookie?
      signal: AbortSignal.timeout(ANSWER_TIMEOUT),
    });
    if (reply.ok) return await reply.json();

    answer.value = await reply.text();
  } catch {
    answer.value = "No server answers.";
  }
}

/** Enters the room under the name that the server gave us. It may differ in its case. */
function enter(user) {
  const token = subprotocol.checked ? user.token : undefined; // Otherwise, the cookie.
  password.value = ""; // The token replaces it from now on.
  rememberName(user.username);
  nameSockets(user.username); // The wire view calls us so.
  openRoom(container, `/ws/chat/${encodeURIComponent(nameIn(room))}`, {
    room: nameIn(room),
    me: user.username,
    // The one header that a script can fill: a list of protocols, of which the server
    // picks the first. The second one is our token.
    protocols: token ? ["chat.v1", `bearer.${token}`] : [],
    ask: (opened) => whoAmI(token, opened),
    onConnecting: () => {
      form.hidden = true;
    },
    onLeft: () => {
      answer.value = "";
      form.hidden = false;
      takeFocus(wayBack(form));
    },
    onSignedOut: (sentence) => {
      answer.value = sentence;
      form.hidden = false;
      takeFocus(password);
    },
  });
}
