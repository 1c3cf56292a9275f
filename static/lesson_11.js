// Lesson 11, the browser's half: tables that are always as they are on the server.
//
// live.js loads them and follows their events. What is left for us is to draw a table,
// and to ask for changes. We never change a table ourselves: each change that we ask for
// comes back as an event, like those that others ask for.

import { explain } from "./closing.js";
import { ask, follow } from "./live.js";
import { write } from "./log.js";

const form = document.querySelector("#sign-in");
const fields = document.querySelector("#sign-in fieldset");
const answer = document.querySelector("#answer");
const data = document.querySelector("#data");
const state = document.querySelector("#state");
const talk = document.querySelector("#talk");
const authors = document.querySelector("#add-post select");
const dialog = document.querySelector("#rename");
const { username, password } = form.elements;

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
  stops = [
    follow("users", (users) => {
      drawState(users);
      drawTable("users", users, ({ name, email }) => [name, email]);
      drawAuthors(users.rows);
    }),
    follow("posts", (posts) => {
      drawTable("posts", posts, ({ user_id, title }) => [nameOf(user_id), title]);
    }),
  ];
}

function leave(why) {
  for (const stop of stops) stop();
  answer.value = why;
  form.hidden = false;
  username.focus();
}

function drawState({ state: now, news }) {
  talk.disabled = now !== "live";
  if (now === "connecting") state.value = "Connecting …";
  if (now === "live") state.value = `Connected as ${username.value}.`;
  if (now === "away") state.value = `${explain(news)} We try again.`;
  if (now === "signed out") leave("Sign in again: the token has expired.");
}

/** Draws the rows that are there now, marks the one that the news is about, and tells. */
function drawTable(id, { rows, news }, cells) {
  const body = document.querySelector(`#${id} tbody`);
  const drawn = new Map([...body.rows].map((row) => [row.dataset.id, row]));

  body.replaceChildren(
    ...rows.map((record) => {
      // A row that stays keeps its place in the page, and the focus inside it.
      const row = drawn.get(`${record.id}`) ?? newRow(id, record);
      cells(record).forEach((text, i) => {
        row.cells[i].textContent = text; // Never innerHTML.
      });
      row.classList.toggle("changed", news?.data?.id === record.id);
      return row;
    }),
  );
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
  return [...authors.options].find(({ value }) => value === `${user}`)?.text ?? `user ${user}`;
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
  else if (type === "custom") write("heard", `${data}`, `${event} from ${from}, ${time}`);
  else write("heard", `${model} ${data.id} ${type}: ${data.name ?? data.title}`, time);
}

/** Asks for a change. Whether it worked, the events tell; why it did not, we tell. */
async function change(method, path, body) {
  try {
    await ask(method, path, body);
    return true;
  } catch ({ message }) {
    write("problem", message);
    return false;
  }
}

function rename(id) {
  dialog.dataset.path = `/users/${id}`;
  dialog.querySelector("form").reset();
  dialog.showModal();
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
