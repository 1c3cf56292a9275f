// Lesson 16, the browser's half: two live tables, and the news, over one socket.
//
// live.js opens the socket, and follows the two tables. We send over it, too: we subscribe to
// the news or not, say something to them, and ask for the stats.

import { explain } from "./close-codes.js";
import { make } from "./elements.js";
import { ApiError, ask, follow } from "./live.js";
import { write } from "./log.js";
import { signInForm } from "./sign-in.js";

const TABLES = ["users", "posts"];

const live = document.querySelector("#live");
const state = document.querySelector("#state");
const talk = document.querySelector("#talk");
const channels = document.querySelector("#channels");
const authors = document.querySelector("#add-post select");

let me;

/** What live.js has said last. */
let shown;

/** Ends our following. */
let stop;

const form = signInForm(document.querySelector("#sign-in-here"), ({ username }) => {
  me = username;
  form.hide();
  live.hidden = false;
  stop = follow(TABLES, draw);
});

function draw(now) {
  const wasLive = shown?.state === "live";
  const { news } = now;
  shown = now;
  for (const name of TABLES) if (!news || news.model === name) drawRows(name);
  if (news && !(news instanceof CloseEvent)) show(news);
  drawState();
  // Each connection begins without the news.
  if (now.state === "live" && !wasLive && channels.elements.news.checked)
    send({ action: "subscribe", channel: "news" });
}

function drawState() {
  const { state: now, news, problem } = shown;
  talk.disabled = now !== "live";
  if (now === "connecting") state.value = "Connecting …";
  if (now === "live") state.value = `Connected as ${me}.`;
  // An announcement may come before the list does. It does not say why we reconnect.
  if (now === "reconnecting" && news instanceof CloseEvent)
    state.value = [explain(news), problem, "We try again."].filter(Boolean).join(" ");
  if (now === "signed out") {
    stop();
    live.hidden = true;
    form.askAgain(problem);
  }
}

function send(request) {
  shown.send(request);
}

/** Writes down what has come over the socket. */
function show({ type, channel, timestamp, ...rest }) {
  const time = timestamp && new Date(timestamp).toLocaleTimeString();
  const { message, from, model, version, data, event } = rest;
  if (type === "announcement") write("notice", `Announcement: ${message}`, time);
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

channels.elements.news.addEventListener("change", ({ target: { checked } }) => {
  send({ action: checked ? "subscribe" : "unsubscribe", channel: "news" });
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
  const { tables, news } = shown;
  const rows = tables[name];
  const body = document.querySelector(`#${name} tbody`);
  const ids = new Set(rows.map(({ id }) => `${id}`));
  for (const row of [...body.rows]) if (!ids.has(row.dataset.id)) row.remove();

  // Ids grow. So a row that is not there yet belongs at the end.
  for (const record of rows) {
    const row = body.querySelector(`[data-id="${record.id}"]`) ?? newRow(name, body, record);
    const [title, about] = name === "users" ? userIn(record) : postIn(record);
    row.cells[0].replaceChildren(title, make("br", {}), make("small", {}, about));
    row.cells[1].firstChild.ariaLabel = `Delete ${title}`;
    row.classList.toggle("changed", news?.data.id === record.id);
  }
  if (name === "users") drawAuthors(rows);
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

function drawAuthors(rows) {
  const chosen = authors.value;
  authors.replaceChildren(...rows.map(({ id, name }) => new Option(name, id)));
  if (rows.some(({ id }) => `${id}` === chosen)) authors.value = chosen;
}
