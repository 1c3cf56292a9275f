// The tasks: we start them with `fetch`, and their progress comes over a socket.
//
// The socket first sends the state of all our tasks, and then what changes. So this page
// remembers nothing: after a reload, or in a second window, it shows the same.

import { ABNORMAL_CLOSURE, NOT_AUTHENTICATED, explain } from "./close-codes.js";
import { make, takeFocus } from "./elements.js";
import { keepAlive } from "./heartbeat.js";
import { reconnect } from "./reconnect.js";
import { refusal, whoAmI } from "./server.js";

/** Something to count, for a start. */
const SAMPLE =
  "Tea for Ana, jam for Ben, and figs for Cem. Ana says that tea is best with jam, Ben " +
  "says that jam is best with tea, and Cem says nothing, for his mouth is full of figs.";

const state = document.querySelector("#tasks-state");
const again = document.querySelector("#tasks-again");
const start = document.querySelector("#start");
const reply = document.querySelector("#tasks-reply");
const list = document.querySelector("#tasks");
const { text, seconds } = start.elements;

const tries = reconnect({
  connect,
  onWait: () => {},
  onGiveUp: () => {
    again.hidden = false;
    takeFocus(again);
  },
});

let socket;
let signedOut;

/** The parts of each task on the page, by its number. */
const drawn = new Map();

/**
 * Shows the tasks, and calls `onSignedOut` with a sentence when only a new sign-in can
 * help. Returns a function that ends it.
 */
export function openTasks(onSignedOut) {
  signedOut = onSignedOut;
  reply.value = "";
  drawAll([]);
  connect();

  return () => {
    const last = socket;
    socket = null; // Whatever it still receives comes too late.
    tries.stop();
    if (last.readyState === WebSocket.OPEN) last.close(1000);
  };
}

function connect() {
  const mine = new WebSocket("/ws/tasks");
  socket = mine;
  tries.follow(mine);
  keepAlive(mine);
  show("Connecting …");
  again.hidden = true;
  let opened = false;

  mine.addEventListener("open", () => {
    opened = true;
    show("Live: the progress appears by itself.");
  });

  mine.addEventListener("message", ({ data }) => {
    if (mine === socket) receive(JSON.parse(data));
  });

  const close = (event) => end(event, opened);
  mine.addEventListener("close", close, { once: true });
}

async function end(event, opened) {
  const isOver = () => event.target !== socket;
  if (isOver()) return;

  showClosed(event.reason && `Closed: ${event.reason}.`);
  if (event.code === NOT_AUTHENTICATED) return signedOut(explain(event));
  if (event.code !== ABNORMAL_CLOSURE) return;

  const { status, sentence } = await whoAmI(undefined, opened);
  if (isOver()) return; // We are connecting again already.
  if (status === 401) signedOut(sentence);
  else if (status === 0) showClosed("No server answers.");
}

/** Shows that there is no connection, with a sentence that says why, if we know that. */
function showClosed(why) {
  const next = again.hidden && "We try again."; // `tries` has decided already.
  show(["Not live.", why, next].filter(Boolean).join(" "));
}

function receive(message) {
  switch (message.type) {
    case "tasks":
      drawAll(message.tasks);
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
      break; // It shows that the server is there. People need not see it.
    case "error":
      reply.value = message.message;
      break;
    default:
      reply.value = `This page does not know the type “${message.type}”.`;
  }
}

function drawAll(tasks) {
  list.replaceChildren();
  drawn.clear();
  tasks.forEach(draw);
}

/** Draws the state of a task. Every message about it has all that there is to know. */
function draw(task) {
  if (!drawn.has(task.id)) drawn.set(task.id, add(task.id));
  const { status, bar, left, cancel } = drawn.get(task.id);
  const isOver = !["queued", "running"].includes(task.status);

  // A screen reader reads `status` aloud when it changes. Not so the numbers, which
  // change all the time: it asks the bar for them.
  const sentence = `Task ${task.id} ${predicate(task)}`;
  if (status.value !== sentence) status.value = sentence;
  left.textContent = estimate(task);
  if (task.status === "running") bar.value = task.percent;
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
    disabled: !isLive(),
  });
  const item = make("li", {}, status, bar, left, cancel);
  cancel.addEventListener("click", () => {
    socket.send(JSON.stringify({ type: "cancel", id }));
  });

  list.prepend(item); // The newest comes first.
  return { item, bar, left, status, cancel };
}

function predicate({ status, result, message }) {
  switch (status) {
    case "queued":
      return "waits for its turn.";
    case "running":
      return "is running.";
    case "finished": {
      const words = result.most_frequent.map(([word, times]) => `${word} (${times})`);
      return (
        `has finished: ${result.words} words, ${result.distinct} different ones. ` +
        `Most frequent: ${words.join(", ")}.`
      );
    }
    case "cancelled":
      return "is cancelled.";
    default:
      return `has failed: ${message}.`;
  }
}

function estimate({ percent, seconds_left }) {
  if (percent === undefined) return "";
  if (seconds_left === undefined) return `${percent} %`;
  return `${percent} %, about ${Math.ceil(seconds_left)} s left`;
}

start.addEventListener("submit", async (event) => {
  event.preventDefault();
  try {
    const path = `/tasks?seconds=${seconds.value}`;
    const answer = await fetch(path, { method: "POST", body: text.value });
    // What we started comes over the socket, to this window and to all others.
    reply.value = answer.ok ? "" : refusal(await answer.text());
  } catch {
    reply.value = "No server answers.";
  }
});

again.addEventListener("click", connect);

const isLive = () => socket?.readyState === WebSocket.OPEN;

function show(sentence) {
  state.value = sentence;
  // A number that does not change any more would be a lie.
  list.hidden = !isLive();
  for (const { cancel } of drawn.values()) cancel.disabled = !isLive();
}

text.value = SAMPLE;
