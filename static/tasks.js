// The tasks: we start them with `fetch`, and their progress comes over a socket.
//
// The socket first sends the state of all our tasks, and then what changes. So this page
// remembers nothing: after a reload, or in a second window, it shows the same.

import { ABNORMAL_CLOSURE, NOT_AUTHENTICATED, explain } from "./close-codes.js";
import { takeFocus } from "./elements.js";
import { keepAlive } from "./heartbeat.js";
import { reconnect } from "./reconnect.js";
import { ANSWER_TIMEOUT, refusal, whoAmI } from "./server.js";
import { SAMPLE, TaskList } from "./task-list.js";

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

const tasks = new TaskList(list, (id) => {
  socket.send(JSON.stringify({ type: "cancel", id }));
});

/**
 * Shows the tasks, and calls `onSignedOut` with a sentence when only a new sign-in can
 * help. Returns a function that ends it.
 */
export function openTasks(onSignedOut) {
  signedOut = onSignedOut;
  reply.value = "";
  tasks.drawAll([]);
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
      tasks.drawAll(message.tasks);
      break;
    case "progress":
      tasks.draw(message);
      break;
    case "finished":
    case "cancelled":
    case "failed":
      tasks.draw(message);
      reply.value = ""; // What was too much before may be possible now.
      break;
    case "forgotten":
      tasks.remove(message.id);
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

start.addEventListener("submit", async (event) => {
  event.preventDefault();
  try {
    const path = `/tasks?seconds=${seconds.value}`;
    const signal = AbortSignal.timeout(ANSWER_TIMEOUT);
    const answer = await fetch(path, { method: "POST", body: text.value, signal });
    // What we started comes over the socket, to this window and to all others.
    reply.value = answer.ok ? "" : refusal(await answer.text());
  } catch {
    reply.value = "No server answers.";
  }
});

again.addEventListener("click", connect);

function show(sentence) {
  state.value = sentence;
  // A number that does not change any more would be a lie.
  list.hidden = socket.readyState !== WebSocket.OPEN;
}

text.value = SAMPLE;
