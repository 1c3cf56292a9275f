// Lesson 24, the browser's half: one page for the whole server.
//
// We sign in once. The browser keeps the token in a cookie, and sends it with each request
// and each upgrade. Then each part of the page has a socket of its own, and connects again
// by itself. When one of them finds out that the token is not valid any more, all of them
// end, and the form comes back. What was said in the chat, and is not acknowledged yet, waits
// until the same person is back.

import { offerPeople } from "./be-buttons.js";
import { explain } from "./close-codes.js";
import { makeDelivery } from "./delivery-log.js";
import { takeFocus } from "./elements.js";
import { keepAlive } from "./heartbeat.js";
import { write } from "./log.js";
import {
  ROOM_NAME_LIMIT,
  followAddress,
  limitLength,
  nameIn,
  recallName,
  rememberName,
} from "./names.js";
import { reconnect } from "./reconnect.js";
import { openRoom } from "./room.js";
import { ANSWER_TIMEOUT, notSignedIn, refusal, whoAmI } from "./server.js";
import { withStorage } from "./storage.js";
import { openTasks } from "./tasks.js";
import { openUsers } from "./users.js";
import { nameSockets } from "./xray.js";

/** Where we remember who has signed in: the cookie itself is hidden from scripts. */
const USER = "lesson_24_capstone_user";

const STILL_SIGNED_IN = "No server answers, so this browser stays signed in for a while.";
const NOT_OURS = "The answer is not JSON, so it is not from our server.";

const form = document.querySelector("#sign-in");
const fields = document.querySelector("#sign-in fieldset");
const answer = document.querySelector("#answer");
const app = document.querySelector("#app");
const me = document.querySelector("#me");
const join = document.querySelector("#join");
const countdown = document.querySelector("#countdown");
const container = document.querySelector("#room");
const { username, password } = form.elements;
const { room, join: back } = join.elements;

/** What ends the parts of the page, while somebody is signed in. */
let parts = [];

/** The name of who is signed in, and the conversation in the room. */
let name;
let conversation;

const tries = reconnect({
  connect: () => conversation.connect(),
  onWait: count,
  onGiveUp: () => {},
  // Connections of ours that are lost may still count, for a while. But 4009 always says that
  // a newer one has taken our place: two windows would replace each other for ever.
  taken: new Set([1008]),
});

form.addEventListener("submit", async (event) => {
  event.preventDefault();

  fields.disabled = true; // However often somebody clicks, we ask once.
  const user = await signIn();
  fields.disabled = false;

  if (user) enter(user);
  else password.focus();
});

join.addEventListener("submit", (event) => {
  event.preventDefault();
  enterRoom();
});

limitLength(room, ROOM_NAME_LIMIT);
followAddress(room);
recallName(username);
offerPeople(form);

document.querySelector("#leave").addEventListener("click", signOut);

// Nobody needs to wait for half a minute if the browser says that there is a network again.
window.addEventListener("online", tries.restart);

// All windows of a browser share its cookie. If somebody signs in or out in another one, we
// begin again, as who we are now.
window.addEventListener("storage", ({ key }) => {
  if (key === USER) location.reload();
});

/** Gets the cookie for the name and the password; or says why not, and gives nothing. */
async function signIn() {
  const { ok, text } = await login();
  const user = ok ? userIn(text) : null;
  if (user) withStorage((storage) => storage.setItem(USER, JSON.stringify(user)));
  else answer.value = ok ? NOT_OURS : refusal(text);
  return user;
}

/** Has the server remove the cookie, which is hidden from us. */
async function signOut() {
  const signal = AbortSignal.timeout(ANSWER_TIMEOUT);
  const gone = await fetch("/logout", { method: "POST", signal }).catch(() => null);
  leave(gone?.ok ? notSignedIn() : STILL_SIGNED_IN);
}

/** Sends the name and the password. If no server answers, we say that in its place. */
async function login() {
  try {
    const reply = await fetch("/login", {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ username: username.value, password: password.value }),
      signal: AbortSignal.timeout(ANSWER_TIMEOUT),
    });
    return { ok: reply.ok, text: await reply.text() };
  } catch {
    return { ok: false, text: "No server answers." };
  }
}

/** The user whom the server has signed in, or null if the answer is not our server's. */
function userIn(text) {
  try {
    // The server knows how the name is written: people also type "Ana ".
    const { username: name, expires_in } = JSON.parse(text);
    return { name, until: Date.now() + expires_in * 1000 };
  } catch {
    return null;
  }
}

function enter(user) {
  name = user.name;
  rememberName(name);
  nameSockets(name);
  me.value = `You are ${name}.`;
  password.value = "";
  form.hidden = true;
  app.hidden = false;
  parts = [openUsers(leave), openTasks(leave)];
  enterRoom();
}

/** Ends all parts, and shows the form, with a sentence that says why. */
function leave(sentence) {
  if (app.hidden && !form.hidden) return; // Another part was faster.

  for (const end of parts.splice(0)) end();
  endRoom();
  withStorage((storage) => storage.removeItem(USER));
  answer.value = sentence;
  app.hidden = true;
  form.hidden = false;
  (username.value ? password : username).focus();
}

/** Opens the room that the form names, in place of the one before. */
function enterRoom() {
  endRoom();

  conversation = openRoom(container, `/ws/chat/${encodeURIComponent(nameIn(room))}`, {
    room: nameIn(room),
    me: name,
    countdown,
    makeDelivery,
    ask: (opened) => whoAmI(undefined, opened),
    onConnecting: (socket) => {
      countdown.hidden = true;
      tries.follow(socket);
      keepAlive(socket);
    },
    onClose: (event, opened) => {
      // The tries that follow do not know why the connection ended.
      if (opened) write("notice", explain(event));
      return !countdown.hidden;
    },
    onLeft: () => {
      countdown.hidden = true;
      tries.stop();
      takeFocus(back, container);
    },
    onSignedOut: leave,
  });
}

function endRoom() {
  conversation?.end();
  tries.stop();
  countdown.hidden = true;
}

function count(milliseconds) {
  countdown.hidden = false;
  countdown.textContent = `We try again in ${Math.ceil(milliseconds / 1000)} s.`;
}

/** Goes on where we were, if our token is still good. Only the server knows that. */
async function start() {
  const user = withStorage((storage) => JSON.parse(storage.getItem(USER)));
  if (!(user?.until > Date.now())) return leave(notSignedIn());

  const { status, sentence } = await whoAmI();
  if (status === 401) leave(sentence);
  else enter(user);
}

start();
