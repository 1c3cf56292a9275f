// Lesson 17, the browser's half: we start and cancel with `fetch`, and the state of our
// tasks comes over a socket.
//
// Each message has the whole state. So this page remembers nothing: after a reload, after
// a lost connection, or in a second window, it shows the same.

import { ABNORMAL_CLOSURE, NOT_AUTHENTICATED, explain } from "./close-codes.js";
import { takeFocus } from "./elements.js";
import { keepAlive } from "./heartbeat.js";
import { reconnect } from "./reconnect.js";
import { ANSWER_TIMEOUT, whoAmI } from "./server.js";
import { signInForm } from "./sign-in.js";
import { SAMPLE, TaskList } from "./task-list.js";

const work = document.querySelector("#work");
const state = document.querySelector("#state");
const again = document.querySelector("#again");
const start = document.querySelector("#start");
const talk = document.querySelector("#talk");
const reply = document.querySelector("#reply");
const list = document.querySelector("#tasks");
const { text, seconds } = start.elements;

const tasks = new TaskList(list, (id) => ask("DELETE", `/tasks/${id}`));

let socket;
let me;

const tries = reconnect({
  connect,
  onWait: () => {},
  onGiveUp: () => {
    again.hidden = false;
    takeFocus(again, start);
  },
});

const form = signInForm(document.querySelector("#sign-in-here"), ({ username }) => {
  me = username;
  form.hide();
  work.hidden = false;
  tasks.drawAll([]);
  connect();
});

function connect() {
  const mine = new WebSocket("/ws/tasks");
  socket = mine;
  again.hidden = true;
  tries.follow(mine);
  keepAlive(mine);
  let opened = false;

  mine.addEventListener("open", () => {
    opened = true;
    show(`Connected as ${me}.`);
    if (document.activeElement === document.body) text.focus();
  });

  mine.addEventListener("message", ({ data }) => {
    const message = JSON.parse(data);
    if (mine === socket && message.type === "tasks") tasks.drawAll(message.tasks);
  });

  mine.addEventListener("close", (event) => lost(event, opened), { once: true });
}

/** Says why the connection ended. What the page knew about the tasks may be old by now. */
async function lost(event, opened) {
  if (opened) show(explain(event));
  if (event.code === NOT_AUTHENTICATED) return signOut(explain(event));
  if (event.code !== ABNORMAL_CLOSURE) return;

  const { status, sentence } = await whoAmI(undefined, opened);
  if (event.target !== socket || socket.readyState === WebSocket.OPEN) return;
  if (status === 401) signOut(sentence);
  else show(`${status === 0 ? "No server answers." : explain(event)} We try again.`);
}

function signOut(sentence) {
  tries.stop(); // With this token, no try can succeed.
  work.hidden = true;
  form.askAgain(sentence);
}

function show(sentence) {
  state.value = sentence;
  const isLive = socket.readyState === WebSocket.OPEN;
  talk.disabled = !isLive;
  // A number that does not change any more would be a lie.
  list.hidden = !isLive;
}

again.addEventListener("click", connect);

start.addEventListener("submit", (event) => {
  event.preventDefault();
  ask("POST", `/tasks?seconds=${seconds.value}`, text.value);
});

/** What a request changes comes over the socket. We show only why it changed nothing. */
async function ask(method, path, body) {
  try {
    const signal = AbortSignal.timeout(ANSWER_TIMEOUT);
    const response = await fetch(path, { method, body, signal });
    reply.value = response.ok ? "" : await response.text();
  } catch {
    reply.value = "No server answers.";
  }
}

text.value = SAMPLE;
