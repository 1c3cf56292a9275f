// Lesson 17, the browser's half: we start and cancel with `fetch`, and the state of our
// tasks comes over a socket.
//
// Each message has the whole state. So this page remembers nothing: after a reload, after
// a lost connection, or in a second window, it shows the same.

import { ABNORMAL_CLOSURE, NOT_AUTHENTICATED, explain } from "./close-codes.js";
import { make, takeFocus } from "./elements.js";
import { keepAlive } from "./heartbeat.js";
import { reconnect } from "./reconnect.js";
import { whoAmI } from "./server.js";
import { signInForm } from "./sign-in.js";

/** How long an answer may take. On a lost connection there would never be one. */
const TIMEOUT = 10_000;

/** Something to count, for a start. */
const SAMPLE = "Tea for Ana, jam for Ben, and figs for Cem. ".repeat(20);

const work = document.querySelector("#work");
const state = document.querySelector("#state");
const again = document.querySelector("#again");
const start = document.querySelector("#start");
const talk = document.querySelector("#talk");
const reply = document.querySelector("#reply");
const list = document.querySelector("#tasks");
const { text, seconds } = start.elements;

/** The parts of each task on the page, by its number. */
const drawn = new Map();

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
  drawAll([]);
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
    if (mine === socket && message.type === "tasks") drawAll(message.tasks);
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

function drawAll(tasks) {
  for (const [id, { item }] of drawn) {
    if (tasks.some((task) => task.id === id)) continue;
    item.remove();
    drawn.delete(id);
  }
  tasks.forEach(draw);
}

function draw(task) {
  if (!drawn.has(task.id)) drawn.set(task.id, add(task.id));
  const { status, bar, left, cancel } = drawn.get(task.id);
  const isOver = !["queued", "running"].includes(task.status);

  // A screen reader reads `status` aloud when it changes. Not so the numbers, which
  // change all the time: it asks the bar for them.
  const sentence = `Task ${task.id} ${predicate(task)}`;
  if (status.value !== sentence) status.value = sentence;
  if (task.status === "running") bar.value = task.percent;
  left.textContent = estimate(task);
  bar.hidden = isOver;
  cancel.hidden = isOver;
}

function add(id) {
  const status = make("output", {});
  // Without a value, a bar only says that something is going on.
  const bar = make("progress", { max: 100, ariaLabel: `Task ${id}` });
  const left = make("small", {});
  const cancel = make("button", {
    type: "button",
    textContent: "Cancel",
    ariaLabel: `Cancel task ${id}`,
  });
  const item = make("li", {}, status, bar, left, cancel);
  cancel.addEventListener("click", () => ask("DELETE", `/tasks/${id}`));

  list.prepend(item); // The newest comes first.
  return { item, status, bar, left, cancel };
}

function predicate({ status, result }) {
  switch (status) {
    case "queued":
      return "waits until another one has ended.";
    case "running":
      return "is running.";
    case "finished":
      return `has finished: ${result.words} words, ${result.distinct} different ones.`;
    case "cancelled":
      return "is cancelled.";
    default:
      return "has failed, and that is the server's fault.";
  }
}

function estimate({ status, percent, seconds_left }) {
  if (status !== "running") return "";
  if (seconds_left === null) return `${percent} %`;
  return `${percent} %, about ${seconds_left} s left`;
}

again.addEventListener("click", connect);

start.addEventListener("submit", (event) => {
  event.preventDefault();
  ask("POST", `/tasks?seconds=${seconds.value}`, text.value);
});

/** What a request changes comes over the socket. We show only why it changed nothing. */
async function ask(method, path, body) {
  try {
    const response = await fetch(path, { method, body, signal: AbortSignal.timeout(TIMEOUT) });
    reply.value = response.ok ? "" : await response.text();
  } catch {
    reply.value = "No server answers.";
  }
}

text.value = SAMPLE;
