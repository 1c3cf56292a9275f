// Lesson 16, the browser's half: two live tables, and a socket with many channels.
//
// live.js follows the two tables, with a socket for each. A third socket shows what one
// socket can do: it subscribes and unsubscribes, sends to the news, and asks for the stats.

import { explain } from "./close-codes.js";
import { make } from "./elements.js";
import { keepAlive } from "./heartbeat.js";
import { ApiError, ask, follow } from "./live.js";
import { write } from "./log.js";
import { signInForm } from "./sign-in.js";

/** The states of a table, the worst first. */
const STATES = ["signed out", "reconnecting", "connecting", "live"];

/** How long we wait, in milliseconds, if the third socket alone has lost its connection. */
const PAUSE = 1000;

const live = document.querySelector("#live");
const state = document.querySelector("#state");
const talk = document.querySelector("#talk");
const channels = document.querySelector("#channels");
const authors = document.querySelector("#add-post select");

/** What live.js says of each table. */
const tables = {};

let me;

/** The third socket. There is none while the tables are not live. */
let socket;

/** What ends the two tables. */
let stops = [];

const form = signInForm(document.querySelector("#sign-in-here"), ({ username }) => {
  me = username;
  form.hide();
  live.hidden = false;
  tables.users = tables.posts = { state: "connecting", rows: [], news: null };
  stops = ["users", "posts"].map((name) =>
    follow(name, (table) => {
      tables[name] = table;
      drawRows(name);
      if (name === "users") drawAuthors();
      drawState();
    }),
  );
});

/** Shows the state of the table that is worse off. */
function drawState() {
  const rank = (table) => STATES.indexOf(table.state);
  const [worst] = Object.values(tables).sort((a, b) => rank(a) - rank(b));
  const { state: now, news, problem } = worst;

  if (now === "live" && !socket) open();
  if (now === "connecting") state.value = "Connecting …";
  // An announcement may come before the list does. It does not say why we reconnect.
  if (now === "reconnecting" && news instanceof CloseEvent) {
    state.value = [explain(news), problem, "We try again."].filter(Boolean).join(" ");
  }
  if (now === "signed out") {
    stops.forEach((stop) => stop());
    socket?.close(1000);
    live.hidden = true;
    form.askAgain(problem);
  }
  ready();
}

/** The forms work while both tables are live, and the third socket is open. */
function ready() {
  const isLive = Object.values(tables).every((table) => table.state === "live");
  talk.disabled = !isLive || socket?.readyState !== WebSocket.OPEN;
  if (!talk.disabled) state.value = `Connected as ${me}.`;
}

/** Opens the third socket, and subscribes to the channels that are checked. */
function open() {
  const mine = new WebSocket("/api/v1/ws");
  socket = mine;

  mine.addEventListener("open", () => {
    keepAlive(mine, undefined, { action: "ping" });
    for (const { name, checked } of channels.querySelectorAll("input"))
      if (checked) send({ action: "subscribe", channel: name });
    ready();
  });

  mine.addEventListener("message", ({ data }) => show(JSON.parse(data)));

  const close = (event) => {
    write("notice", explain(event));
    setTimeout(() => {
      socket = null;
      if (!live.hidden) drawState(); // It opens the next one as soon as the tables are live.
    }, PAUSE);
    ready();
  };
  mine.addEventListener("close", close, { once: true });
}

function send(request) {
  socket.send(JSON.stringify(request));
}

/** Writes down what has come over the third socket. */
function show({ type, channel, timestamp, ...rest }) {
  const time = timestamp && new Date(timestamp).toLocaleTimeString();
  const { message, from, model, version, data, event } = rest;
  if (type === "pong") return; // It answers the heartbeat.
  if (type === "connection") write("notice", message, time);
  else if (type === "announcement") write("notice", `Announcement: ${message}`, time);
  else if (type === "subscribed" || type === "unsubscribed") write("notice", `${type}: ${channel}`);
  else if (type === "message") write("received", message, `${channel}, from ${from}, ${time}`);
  else if (type === "custom") write("received", JSON.stringify(data), `${channel}, ${event}, ${time}`);
  else if (type === "stats") write("notice", statsIn(data));
  else if (type === "error") write("problem", message);
  else write("received", `${model} ${data.id} ${type}`, `${channel}, version ${version}, ${time}`);
}

function statsIn({ channels, total_connections }) {
  const counts = Object.entries(channels).map(([name, count]) => `${name} ${count}`);
  return `Connections: ${total_connections}. Subscribers: ${counts.join(", ")}.`;
}

channels.addEventListener("change", ({ target: { name, checked } }) => {
  send({ action: checked ? "subscribe" : "unsubscribe", channel: name });
});

channels.elements.stats.addEventListener("click", () => send({ action: "get_stats" }));

onSubmit("#say", ({ text }) => {
  send({ action: "send", channel: "news", message: text.value });
  return true;
});

onSubmit("#announce", ({ text }) =>
  change("POST", "/announcements", { message: text.value }),
);

onSubmit("#add-user", ({ name, email }) =>
  change("POST", "/users", { name: name.value, email: email.value }),
);

onSubmit("#add-post", ({ user_id, title, body }) => {
  const post = { user_id: Number(user_id.value), title: title.value, body: body.value };
  return change("POST", "/posts", post);
});

/** Empties the form when what it asked for has been done. */
function onSubmit(selector, act) {
  const form = document.querySelector(selector);
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    if (await act(form.elements)) form.reset();
  });
}

/** Asks for a change. If it worked, an event shows it. If not, we show the reason. */
async function change(method, path, body) {
  try {
    await ask(method, path, body);
    return true;
  } catch (error) {
    write("problem", error instanceof ApiError ? error.message : "No server answers.");
    return false;
  }
}

/** Draws the rows of a table, and marks the one that the last event is about. */
function drawRows(name) {
  const { rows, news } = tables[name];
  const body = document.querySelector(`#${name} tbody`);
  const ids = new Set(rows.map(({ id }) => `${id}`));
  for (const row of [...body.rows]) if (!ids.has(row.dataset.id)) row.remove();

  // Ids grow. So a row that is not there yet belongs at the end.
  for (const record of rows) {
    const row = body.querySelector(`[data-id="${record.id}"]`) ?? newRow(name, body, record);
    const [title, about] = name === "users" ? userIn(record) : postIn(record);
    row.cells[0].replaceChildren(title, make("br", {}), make("small", {}, about));
    row.cells[1].firstChild.ariaLabel = `Delete ${title}`;
    row.classList.toggle("changed", news?.model === name && news.data.id === record.id);
  }
}

function newRow(name, body, { id }) {
  const remove = make("button", { type: "button", textContent: "Delete" });
  remove.addEventListener("click", () => change("DELETE", `/${name}/${id}`));
  const row = make("tr", {}, make("td", {}), make("td", {}, remove));
  row.dataset.id = id;
  body.append(row);
  return row;
}

const userIn = ({ name, email, owner }) => [name, `${email}, owner: ${owner}`];

const postIn = ({ title, body, owner }) => [title, `${body} (owner: ${owner})`];

function drawAuthors() {
  const chosen = authors.value;
  const { rows } = tables.users;
  authors.replaceChildren(...rows.map(({ id, name }) => new Option(name, id)));
  if (rows.some(({ id }) => `${id}` === chosen)) authors.value = chosen;
}
