// Lesson 17, the browser's half: we start the work with `fetch`, and watch it over a
// socket.
//
// The socket tells first how all our tasks stand, and then what changes. So this page
// remembers nothing: after a reload, or in a second window, it shows the same.

import { ABNORMAL_CLOSURE, NOT_AUTHENTICATED, explain } from "./close-codes.js";
import { keepAlive } from "./heartbeat.js";
import { whoAmI } from "./server.js";

/** Where we remember who has signed in: the cookie itself is hidden from scripts. */
const GUEST = "lesson_17_guest";

/** Something to count, for a start. */
const SAMPLE =
  "Tea for Ana, jam for Ben, and figs for Cem. Ana says that tea is best with jam, Ben " +
  "says that jam is best with tea, and Cem says nothing, for his mouth is full of figs.";

const signIn = document.querySelector("#sign-in");
const fields = document.querySelector("#sign-in fieldset");
const answer = document.querySelector("#answer");
const work = document.querySelector("#work");
const state = document.querySelector("#state");
const again = document.querySelector("#again");
const leave = document.querySelector("#leave");
const order = document.querySelector("#start");
const talk = document.querySelector("#talk");
const reply = document.querySelector("#reply");
const list = document.querySelector("#tasks");
const { username, password } = signIn.elements;
const { text, file, seconds } = order.elements;

let socket;

/** The parts of each task on the page, by its number. */
const drawn = new Map();

signIn.addEventListener("submit", async (event) => {
  event.preventDefault();

  fields.disabled = true; // However often somebody clicks, we ask once.
  const signedIn = await post("/login", {
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ username: username.value, password: password.value }),
  });
  fields.disabled = false;

  if (signedIn.ok) {
    const { expires_in } = JSON.parse(signedIn.words);
    const guest = { name: username.value, until: Date.now() + expires_in * 1000 };
    localStorage.setItem(GUEST, JSON.stringify(guest));
    password.value = "";
    watch(guest);
  } else {
    answer.value = signedIn.words;
    password.focus();
  }
});

/** Connects, and draws what the server tells. */
function watch(guest) {
  socket = new WebSocket("/ws/tasks");
  show("Connecting …");
  signIn.hidden = true;
  work.hidden = false;
  keepAlive(socket);

  let opened = false;
  socket.addEventListener("open", () => {
    opened = true;
    show(`Connected as ${guest.name}.`);
    text.focus();
  });

  socket.addEventListener("message", ({ data }) => {
    hear(JSON.parse(data));
  });

  const close = (event) => end(event, opened);
  socket.addEventListener("close", close, { once: true });
}

async function end(event, opened) {
  show(explain(event));
  if (event.code === NOT_AUTHENTICATED) askForName(explain(event));
  if (event.code !== ABNORMAL_CLOSURE) return;

  const { status, sentence } = await whoAmI(undefined, opened);
  if (event.target !== socket) return; // We are connecting again already.
  if (status === 401) askForName(sentence);
  else show(`${explain(event)} ${sentence}`);
}

function hear(message) {
  switch (message.type) {
    case "tasks":
      list.replaceChildren();
      drawn.clear();
      message.tasks.forEach(draw);
      break;
    case "progress":
      draw(message);
      break;
    case "finished":
    case "cancelled":
    case "failed":
      draw(message);
      reply.value = ""; // What was too much before may be possible now.
      break;
    case "forgotten":
      drawn.get(message.id)?.item.remove();
      drawn.delete(message.id);
      break;
    case "pong":
      break; // A sign of life, and no news for people.
    case "error":
      reply.value = message.message;
      break;
    default:
      reply.value = `This page does not know the type “${message.type}”.`;
  }
}

/** Draws how a task stands. Every message about it has all that there is to know. */
function draw(task) {
  if (!drawn.has(task.id)) drawn.set(task.id, add(task.id));
  const { status, bar, left, cancel } = drawn.get(task.id);
  const over = !["queued", "running"].includes(task.status);

  // A screen reader reads `status` aloud when it changes. Not so the numbers, which
  // change all the time: it asks the bar for them.
  const words = say(task);
  if (status.value !== words) status.value = words;
  left.textContent = estimate(task);
  if (task.status === "running") bar.value = task.percent;
  bar.hidden = over;
  cancel.hidden = over;
}

function add(id) {
  const name = make("h2", { textContent: `Task ${id}` });
  // Without a value, a bar only says that something is going on.
  const bar = make("progress", { max: 100, ariaLabel: `Task ${id}` });
  const left = make("small", {});
  const status = make("output", {});
  const cancel = make("button", {
    type: "button",
    textContent: "Cancel",
    ariaLabel: `Cancel task ${id}`,
  });
  const item = make("li", {}, name, bar, left, cancel, status);
  cancel.addEventListener("click", () => {
    socket.send(JSON.stringify({ type: "cancel", id }));
  });

  list.prepend(item); // The newest comes first.
  return { item, bar, left, status, cancel };
}

function say({ status, result, message }) {
  switch (status) {
    case "queued":
      return "Waits for its turn.";
    case "running":
      return "Is running.";
    case "finished": {
      const often = result.most_frequent.map(([word, times]) => `${word} (${times})`);
      return (
        `Finished: ${result.words} words, ${result.distinct} different ones. ` +
        `Most frequent: ${often.join(", ")}.`
      );
    }
    case "cancelled":
      return "Cancelled.";
    default:
      return `Failed: ${message}.`;
  }
}

function estimate({ percent, seconds_left }) {
  if (percent === undefined) return "";
  if (seconds_left === undefined) return `${percent} %`;
  return `${percent} %, about ${Math.ceil(seconds_left)} s left`;
}

order.addEventListener("submit", async (event) => {
  event.preventDefault();

  const started = await post(`/tasks?seconds=${seconds.value}`, { body: text.value });
  // What we started comes over the socket, to this window and to all others.
  reply.value = started.ok ? "" : started.words;
});

file.addEventListener("change", async () => {
  if (file.files[0]) text.value = await file.files[0].text();
});

again.addEventListener("click", start);

leave.addEventListener("click", () => {
  localStorage.removeItem(GUEST);
  location.reload(); // So nothing of the old session is left, and its socket closes.
});

/** Sends something to the server, and gives its answer, or a sentence instead. */
async function post(path, request) {
  try {
    const response = await fetch(path, { method: "POST", ...request });
    return { ok: response.ok, words: await response.text() };
  } catch {
    return { ok: false, words: "No server answers." };
  }
}

function show(sentence) {
  state.value = sentence;
  talk.disabled = socket.readyState !== WebSocket.OPEN;
  for (const { cancel } of drawn.values()) cancel.disabled = talk.disabled;
  // Not only when it is closed: one that we gave up may be closing for a long time.
  again.hidden = socket.readyState <= WebSocket.OPEN;
}

/** Makes an element. A text among its `children` stays text, whatever is in it. */
function make(tag, properties, ...children) {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...children);
  return element;
}

function askForName(sentence) {
  answer.value = sentence;
  signIn.hidden = false;
  work.hidden = true;
  username.focus();
}

/** Goes on where we were, if our token is still good. */
function start() {
  const guest = JSON.parse(localStorage.getItem(GUEST));
  if (guest?.until > Date.now()) watch(guest);
  else askForName("You are not signed in.");
}

text.value = SAMPLE;
start();
