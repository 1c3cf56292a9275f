// Lesson 14, the browser's half: a table that is always as it is on the server.
//
// First we subscribe to the events, then we load the list, and the version decides which
// events are newer than the list. We never change the table ourselves: each change that we
// ask for comes back as an event, like those that others ask for.

import { NOT_AUTHENTICATED, explain } from "./close-codes.js";
import { make, takeFocus } from "./elements.js";
import { keepAlive } from "./heartbeat.js";
import { write } from "./log.js";
import { reconnect } from "./reconnect.js";
import { renameDialog } from "./rename-dialog.js";
import { drawRows } from "./rows.js";
import { whoAmI } from "./server.js";
import { signInForm } from "./sign-in.js";

const USERS = "/api/v1/users";
const EVENTS = "/api/v1/ws/users";

/** How long an answer may take. On a lost connection there would never be one. */
const TIMEOUT = 10_000;

const live = document.querySelector("#live");
const state = document.querySelector("#state");
const body = document.querySelector("#users tbody");
const shownVersion = document.querySelector("#version");
const countdown = document.querySelector("#countdown");
const talk = document.querySelector("#talk");
const add = document.querySelector("#add");
const again = document.querySelector("#again");
const dialog = document.querySelector("#rename");
const askForName = renameDialog(dialog, (id, name) =>
  ask("PATCH", `${USERS}/${id}`, { name }).then(() => "", ({ message }) => message),
);
const { order, seconds } = again.elements;

/** A copy of the list. Its rows are those that the server had at its version. */
class Replica {
  rows = new Map();
  /** There is none before the list has been loaded. */
  version = null;
  #early = [];

  /** The list has come. So we can tell which of the events before it are newer. */
  load(version, users) {
    this.version = version;
    this.rows = new Map(users.map((user) => [user.id, user]));
    for (const event of this.#early.splice(0)) this.receive(event);
  }

  /** An event has come. */
  receive(event) {
    const { type, version, data } = event;
    if (this.version === null) {
      this.#early.push(event);
      note(event, "it waits for the list");
    } else if (version <= this.version) {
      note(event, "old: the list has it already");
    } else {
      this.version = version;
      if (type === "deleted") this.rows.delete(data.id);
      else this.rows.set(data.id, data);
      note(event, "new");
    }
  }
}

/** What the table shows. Each connection begins with an empty one. */
let replica;
let socket;
let me;

const tries = reconnect({ connect, onWait: count, onGiveUp: giveUp });

const form = signInForm(document.querySelector("#sign-in-here"), ({ username }) => {
  me = username;
  form.hide();
  live.hidden = false;
  connect();
});

async function connect() {
  const mine = new Replica();
  replica = mine;
  state.value = "Connecting …";

  if (order.value === "load") {
    await load(mine).catch(() => {}); // Then there will be no connection, either.
    await pause();
    if (mine !== replica) return; // Somebody has pressed “Begin again”.
  }

  socket = new WebSocket(EVENTS);
  const opened = socket;
  tries.follow(opened);
  keepAlive(opened, undefined, { action: "ping" });

  opened.addEventListener("message", ({ data }) => {
    if (mine !== replica) return; // It comes too late.

    const message = JSON.parse(data);
    if (message.type === "connection") subscribed(mine, opened);
    if (message.model === "users") {
      mine.receive(message);
      draw(message);
    }
  });

  opened.addEventListener("close", (event) => mine === replica && lost(event), { once: true });
}

/** From now on, no event is missed. So this is the moment to load the list. */
async function subscribed(mine, opened) {
  write("notice", "We have subscribed.");
  try {
    if (mine.version === null) {
      await pause();
      await load(mine);
    }
    if (mine !== replica || opened.readyState !== WebSocket.OPEN) return;

    state.value = `Connected as ${me}.`;
    countdown.textContent = "";
    talk.disabled = false;
  } catch {
    opened.close(); // And so we try again.
  }
}

async function load(mine) {
  const reply = await ask("GET", USERS);
  const version = Number(reply.headers.get("x-version"));
  const users = await reply.json();
  if (mine !== replica) return;

  write("notice", `The list has come, with version ${version}.`);
  mine.load(version, users);
  draw();
}

function pause() {
  return new Promise((resolve) => setTimeout(resolve, 1000 * seconds.valueAsNumber));
}

/** The connection has ended. The table stays, but it may be old from now on. */
async function lost(event) {
  const mine = replica;
  if (!talk.disabled) write("notice", explain(event)); // Not for each try that fails.
  talk.disabled = true;
  state.value = explain(event);

  // A page cannot read why an upgrade was rejected. Over HTTP it can.
  const { status, sentence } = await whoAmI();
  if (mine !== replica) return;

  if (status === 401) signOut(sentence);
  else if (event.code === NOT_AUTHENTICATED) signOut(`Sign in again: ${event.reason}.`);
  // Why not the sentence? It says “connect again”, and we do that without being asked.
  else if (status === 0) state.value = `${explain(event)} No server answers.`;
}

function count(milliseconds) {
  const left = Math.ceil(milliseconds / 1000);
  countdown.textContent = `It may be old. We connect again in ${left} s.`;
}

/** Another try would end in the same way. So a person decides when to try. */
function giveUp() {
  countdown.textContent = "It may be old. Begin again, when you want to.";
  takeFocus(again.querySelector("button"), talk);
}

function signOut(sentence) {
  end();
  dialog.close();
  live.hidden = true;
  form.askAgain(sentence);
}

function end() {
  replica = null;
  tries.stop();
  if (socket?.readyState === WebSocket.OPEN) socket.close(1000);
  talk.disabled = true;
  body.replaceChildren();
  shownVersion.value = "none yet";
  countdown.textContent = "";
}

again.addEventListener("submit", (event) => {
  event.preventDefault();

  end();
  write("notice", `Begin again: ${order.selectedOptions[0].textContent}.`);
  connect();
});

/** Draws the rows that are there now, and marks the one that an event is about. */
function draw(event) {
  if (replica.version === null) return;

  drawRows(body, [...replica.rows.values()], event?.data.id, { newRow, fill });
  shownVersion.value = replica.version;
}

function newRow({ id }) {
  const name = make("span", {});
  const who = make("td", {}, name, make("br", {}), make("small", {}));
  const active = make("td", {});
  const buttons = make("td", {});
  const row = make("tr", {}, who, active, buttons);
  const button = (textContent, act) => {
    const made = make("button", { type: "button", textContent });
    made.addEventListener("click", act);
    buttons.append(made);
  };
  button("Rename", () => askForName(id, name.textContent));
  button("", () => change("PATCH", id, { is_active: active.textContent === "no" }));
  button("Delete", () => change("DELETE", id));
  return row;
}

function fill({ cells: [who, active, buttons] }, { name, email, is_active }) {
  who.firstChild.textContent = name; // Never innerHTML: strangers wrote this text.
  who.lastChild.textContent = email;
  active.textContent = is_active ? "yes" : "no";
  buttons.children[1].textContent = is_active ? "Deactivate" : "Activate";
  for (const button of buttons.children)
    button.ariaLabel = `${button.textContent} ${name}`;
}

/** Writes down an event, and what became of it. */
function note({ type, version, data }, what) {
  const name = data.name ? ` (${data.name})` : "";
  write("received", `User ${data.id} ${type}${name}`, `version ${version}, ${what}`);
}

/** Sends a request. The error is a sentence. */
async function ask(method, path, json) {
  const options = json && {
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(json),
  };
  const signal = AbortSignal.timeout(TIMEOUT);
  // An old list out of the browser's cache would lack changes.
  const asked = fetch(path, { method, cache: "no-store", signal, ...options });
  const reply = await asked.catch(() => {
    throw new Error("No server answers.");
  });
  if (!reply.ok) throw new Error(await reply.text());

  return reply;
}

/** Asks for a change. If it worked, an event shows it. If not, we say why. */
async function change(method, id, json) {
  try {
    await ask(method, id ? `${USERS}/${id}` : USERS, json);
    return true;
  } catch (error) {
    const problem = write("problem", error.message);
    problem.scrollIntoView({ block: "nearest" }); // The table may be long.
    return false;
  }
}

add.addEventListener("submit", async (event) => {
  event.preventDefault();

  const { name, email } = add.elements;
  if (await change("POST", null, { name: name.value, email: email.value })) add.reset();
});
