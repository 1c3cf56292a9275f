// Lesson 14, the browser's half: tables that are always as they are on the server.
//
// live.js loads them and follows their events. What is left for us is to draw a table,
// and to ask for changes. We never change a table ourselves: each change that we ask for
// comes back as an event, like those that others ask for.

import { explain } from "./close-codes.js";
import { ApiError, ask, follow } from "./live.js";
import { write } from "./log.js";

/** How it can stand with a table, the worst first. */
const STATES = ["signed out", "reconnecting", "connecting", "live"];

const form = document.querySelector("#sign-in");
const fields = document.querySelector("#sign-in fieldset");
const answer = document.querySelector("#answer");
const data = document.querySelector("#data");
const state = document.querySelector("#state");
const talk = document.querySelector("#talk");
const authors = document.querySelector("#add-post select");
const dialog = document.querySelector("#rename");
const { username, password } = form.elements;

/** How it stands with each table. */
const tables = {};

/** What ends our following, once we have begun. */
let stops = [];

form.addEventListener("submit", async (event) => {
  event.preventDefault();

  fields.disabled = true;
  const signedIn = await signIn();
  fields.disabled = false;

  if (signedIn) enter();
  else password.focus();
});

/** Gets the cookie for the name and the password; or says why not. */
async function signIn() {
  try {
    const reply = await fetch("/login", {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ username: username.value, password: password.value }),
    });
    if (!reply.ok) answer.value = await reply.text();
    return reply.ok;
  } catch {
    answer.value = "No server answers.";
    return false;
  }
}

function enter() {
  password.value = "";
  form.hidden = true;
  data.hidden = false;
  tables.users = tables.posts = { state: "connecting", rows: [], news: null };
  drawState();
  stops = [
    follow("users", (users) => {
      tables.users = users;
      drawState();
      drawTable("users", users, ({ name, email }) => [name, email]);
      drawAuthors(users.rows);
      drawPosts({ ...tables.posts, news: null }); // Their authors may have new names.
    }),
    follow("posts", (posts) => {
      tables.posts = posts;
      drawState();
      drawPosts(posts);
    }),
  ];
}

function leave(why) {
  for (const stop of stops) stop();
  answer.value = why;
  form.hidden = false;
  username.focus();
}

/** Shows how it stands with the table that is worse off. */
function drawState() {
  const rank = (table) => STATES.indexOf(table.state);
  const [worst] = Object.values(tables).sort((a, b) => rank(a) - rank(b));
  const { state: now, news, problem } = worst;

  talk.disabled = now !== "live";
  if (now === "connecting") state.value = "Connecting …";
  if (now === "live") state.value = `Connected as ${username.value}.`;
  // Events may come before the list does. They say nothing about why we reconnect.
  if (now === "reconnecting" && news instanceof CloseEvent)
    state.value = [explain(news), problem, "We try again."].filter(Boolean).join(" ");
  if (now === "signed out") {
    state.value = "Not connected.";
    leave(problem);
  }
}

function drawPosts(posts) {
  drawTable("posts", posts, ({ user_id, title }) => [nameOf(user_id), title]);
}

/** Draws the rows that are there now, marks the one that the news is about, and tells. */
function drawTable(id, { rows, news }, cells) {
  const body = document.querySelector(`#${id} tbody`);
  const ids = new Set(rows.map((record) => `${record.id}`));
  for (const row of [...body.rows]) if (!ids.has(row.dataset.id)) row.remove();
  const drawn = new Map([...body.rows].map((row) => [row.dataset.id, row]));

  rows.forEach((record, place) => {
    const row = drawn.get(`${record.id}`) ?? newRow(id, record);
    // Who takes a row out of the page, if only to put it back, takes the focus from it.
    if (row !== body.rows[place]) body.insertBefore(row, body.rows[place]);
    cells(record).forEach((text, i) => {
      row.cells[i].textContent = text; // Never innerHTML.
    });
    for (const button of row.querySelectorAll("button"))
      button.ariaLabel = `${button.textContent} ${titleOf(record)}`;
    row.classList.toggle("changed", news?.model !== undefined && news.data.id === record.id);
  });
  if (news?.channel === id || (news?.type === "announcement" && id === "users")) tell(news);
}

function newRow(id, { id: number }) {
  const row = document.createElement("tr");
  row.dataset.id = number;
  row.append(document.createElement("td"), document.createElement("td"));

  const buttons = document.createElement("td");
  if (id === "users") buttons.append(button("Rename", () => rename(number)));
  buttons.append(button("Delete", () => change("DELETE", `/${id}/${number}`)));
  row.append(buttons);
  return row;
}

function button(text, act) {
  const made = document.createElement("button");
  made.type = "button";
  made.textContent = text;
  made.addEventListener("click", act);
  return made;
}

function nameOf(user) {
  return tables.users.rows.find(({ id }) => id === user)?.name ?? `user ${user}`;
}

/** What people call a record, be it a user or a post. */
function titleOf({ name, title }) {
  return name ?? title;
}

function drawAuthors(users) {
  const chosen = authors.value;
  authors.replaceChildren(...users.map(({ id, name }) => new Option(name, id)));
  if (users.some(({ id }) => `${id}` === chosen)) authors.value = chosen;
}

/** Adds an event to the log. */
function tell({ type, model, data, event, from, message, timestamp }) {
  const time = new Date(timestamp).toLocaleTimeString();
  if (type === "announcement") write("notice", message, time);
  else if (type === "custom") write("received", say(data), `${event} from ${from}, ${time}`);
  else write("received", `${model} ${data.id} ${type}: ${titleOf(data)}`, time);
}

/** Text as it is. Programs may send any other JSON. */
function say(data) {
  return typeof data === "string" ? data : JSON.stringify(data);
}

/** Asks for a change. Whether it worked, the events tell; why it did not, we tell. */
async function change(method, path, body) {
  try {
    await ask(method, path, body);
    return true;
  } catch (error) {
    write("problem", error instanceof ApiError ? error.message : "No server answers.");
    return false;
  }
}

function rename(id) {
  const { text } = dialog.querySelector("form").elements;
  dialog.dataset.path = `/users/${id}`;
  text.value = nameOf(id);
  dialog.showModal();
  text.select();
}

dialog.querySelector("[type=button]").addEventListener("click", () => dialog.close());

dialog.addEventListener("submit", ({ target }) => {
  change("PATCH", dialog.dataset.path, { name: target.elements.text.value });
});

onSubmit("#add-user", ({ name, email }) =>
  change("POST", "/users", { name: name.value, email: email.value }),
);

onSubmit("#add-post", ({ user_id, title }) => {
  const post = { user_id: Number(user_id.value), title: title.value, body: "" };
  return change("POST", "/posts", post);
});

onSubmit("#say", ({ text }) =>
  change("POST", "/channels/users/events", { event: "note", data: text.value }),
);

/** Empties the form when what it asked for has been done. */
function onSubmit(selector, act) {
  document.querySelector(selector).addEventListener("submit", async (event) => {
    event.preventDefault();
    const form = event.target;
    if (await act(form.elements)) form.reset();
  });
}
