// Lesson 16, the browser's half: two live tables, and the news, over one socket.
//
// live.js opens the socket, and subscribes to the two tables. We send over it, too: we
// subscribe to the news or not, say something to them, and ask for the stats.

import { explain } from "./close-codes.js";
import { keepDrafts } from "./drafts.js";
import { make } from "./elements.js";
import { ApiError, ask, subscribe } from "./live.js";
import { write } from "./log.js";
import { drawRows } from "./rows.js";
import { signInForm } from "./sign-in.js";

const TABLES = { users: fillUser, posts: fillPost };

const live = document.querySelector("#live");
const state = document.querySelector("#state");
const talk = document.querySelector("#talk");
const channels = document.querySelector("#channels");
const authors = document.querySelector("#add-post select");
const drafts = keepDrafts(document.querySelector("#say").elements.text);

let me;

/** What live.js has said last. */
let shown;

/** Ends our subscriptions. */
let stop;

const form = signInForm(document.querySelector("#sign-in-here"), ({ username }) => {
  me = username;
  form.hide();
  live.hidden = false;
  stop = subscribe(Object.keys(TABLES), draw);
});

function draw(now) {
  const wasLive = shown?.state === "live";
  const { news } = now;
  shown = now;
  if (!news || news.model) drawTables();
  if (news instanceof CloseEvent) {
    if (wasLive) write("notice", explain(news));
    forgetAccepted();
    drafts.lost();
  }
  if (news && !(news instanceof CloseEvent)) {
    show(news);
    settleDrafts(news);
  }
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
  else if (type === "error") showProblem(message);
  else {
    const name = data.name ?? data.title;
    const what = `${model}: ${data.id} ${type}${name ? ` (${name})` : ""}`;
    write("received", what, `${channel}, version ${version}, ${time}`);
  }
}

function showProblem(sentence) {
  const problem = write("problem", sentence);
  problem.scrollIntoView({ block: "nearest" }); // The tables may be long.
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
  forgetAccepted();
  drafts.sent(text.value);
  return true;
});

/** Answers come in order: our own message, or an error, which only a message can get here. */
function settleDrafts({ type, from, message }) {
  if (type === "message" && from === me) drafts.accepted(message);
  if (type === "error") drafts.refused();
  // It comes behind the answers to all that we said before.
  if (type === "subscribed" || type === "unsubscribed") drafts.forget();
}

/** Without the news, what we say does not come back: it gets an error, or no answer. */
function forgetAccepted() {
  if (!channels.elements.news.checked) drafts.forget();
}

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
    showProblem(error instanceof ApiError ? error.message : "No server answers.");
    return false;
  }
}

/** Draws the rows of both tables, and marks the one that the last event is about. */
function drawTables() {
  const { tables, news } = shown;
  for (const [name, fill] of Object.entries(TABLES)) {
    const body = document.querySelector(`#${name} tbody`);
    const changed = news?.model === name ? news.data.id : undefined;
    const newRow = ({ id }) => newRowOf(name, id);
    drawRows(body, tables[name], changed, { newRow, fill });
  }
  if (news?.model !== "posts") drawAuthors(); // The list may be open, and would close.
}

function newRowOf(table, id) {
  const remove = make("button", { type: "button", textContent: "Delete" });
  remove.addEventListener("click", () => change("DELETE", `/${table}/${id}`));
  return make("tr", {}, make("td", {}), make("td", {}, remove));
}

function fillUser(row, { name, email, owner }) {
  fill(row, name, `${email}, owner: ${owner}`);
}

function fillPost(row, { user_id, title, body, owner }) {
  const author = shown.tables.users.find(({ id }) => id === user_id);
  const by = author?.name ?? `user ${user_id}`;
  fill(row, title, `${body} (by ${by}, owner: ${owner})`);
}

function fill({ cells: [text, buttons] }, title, about) {
  text.replaceChildren(title, make("br", {}), make("small", {}, about));
  buttons.firstChild.ariaLabel = `Delete ${title}`;
}

function drawAuthors() {
  const { users } = shown.tables;
  const chosen = authors.value;
  const options = users.map(({ id, name }) => new Option(name, id));
  if (!options.length) options.push(new Option("Add a user first", ""));
  authors.replaceChildren(...options);
  if (users.some(({ id }) => `${id}` === chosen)) authors.value = chosen;
}
