// Lesson 15, the browser's half: a live table, and a form that shows each fault beside its
// field.
//
// live.js subscribes to the events and loads the table. We never change the table
// ourselves: each change that we ask for comes back as an event, like those that others
// ask for.

import { explain } from "./close-codes.js";
import { make } from "./elements.js";
import { ApiError, ask, subscribe } from "./live.js";
import { write } from "./log.js";
import { drawRows } from "./rows.js";
import { signInForm } from "./sign-in.js";

/** What the form shows for a user whom there is not yet. */
const NOBODY = { name: "", email: "", phone: null, is_active: true };

const live = document.querySelector("#live");
const state = document.querySelector("#state");
const talk = document.querySelector("#talk");
const body = document.querySelector("#users tbody");
const answerToDelete = document.querySelector("#answer-to-delete");
const dialog = document.querySelector("#editor");
const title = document.querySelector("#editor-title");
const editor = document.querySelector("#editor form");

let me;

/** Whom the form is about. */
let edited;

/** Ends our subscription. */
let stop;

const form = signInForm(document.querySelector("#sign-in-here"), ({ username }) => {
  me = username;
  form.hide();
  live.hidden = false;
  body.replaceChildren();
  answerToDelete.value = "";
  state.value = "Connecting …";
  stop = subscribe("users", draw);
});

function draw(users) {
  drawState(users);
  drawRows(body, users.rows, users.news?.model && users.news.data.id, { newRow, fill });
  if (users.news?.model) note(users.news);
  if (users.state === "signed out") {
    stop();
    dialog.close();
    live.hidden = true;
    form.askAgain(users.problem);
  }
}

function drawState({ state: now, news, problem }) {
  // Not for each try that fails.
  if (news instanceof CloseEvent && !talk.disabled) write("notice", explain(news));
  talk.disabled = now !== "live";
  if (now === "live") state.value = `Connected as ${me}.`;
  // Other news says nothing about why we reconnect.
  if (now === "reconnecting" && news instanceof CloseEvent)
    state.value = [explain(news), problem, "We try again."].filter(Boolean).join(" ");
}

function note({ type, version, data }) {
  const name = data.name ? ` (${data.name})` : "";
  write("received", `User ${data.id} ${type}${name}`, `version ${version}`);
}

function newRow({ id }) {
  const who = make("td", {}, make("span", {}), make("br", {}), make("small", {}));
  const edit = make("button", { type: "button", textContent: "Edit" });
  const remove = make("button", { type: "button", textContent: "Delete" });
  const row = make("tr", {}, who, make("td", {}), make("td", {}, edit, remove));
  edit.addEventListener("click", () => open(row.user));
  remove.addEventListener("click", async () => {
    const error = await change("DELETE", `/users/${id}`);
    answerToDelete.value = error?.message ?? "";
  });
  return row;
}

function fill(row, user) {
  const { name, email, phone, owner, is_active } = user;
  const [who, ownerCell, buttons] = row.cells;
  row.user = user;
  who.firstChild.textContent = name; // Never innerHTML: strangers wrote this text.
  const about = [email, phone, !is_active && "not active"];
  who.lastChild.textContent = about.filter(Boolean).join(", ");
  ownerCell.textContent = owner;
  for (const button of buttons.children)
    button.ariaLabel = `${button.textContent} ${name}`;
}

/** Asks for a change. If it worked, an event shows it. If not, we return the error. */
async function change(method, path, json) {
  try {
    await ask(method, path, json);
  } catch (error) {
    return error instanceof ApiError ? error : new Error("No server answers.");
  }
}

document.querySelector("#new").addEventListener("click", () => open(NOBODY));

function open(user) {
  const { name, email, phone, is_active } = editor.elements;
  answerToDelete.value = ""; // It was about something else.
  edited = { ...user }; // A new object each time, so that we can tell two forms apart.
  title.textContent = user.id ? `User ${user.id}` : "New user";
  name.value = user.name;
  email.value = user.email;
  phone.value = user.phone ?? "";
  is_active.checked = user.is_active;
  show();
  dialog.showModal();
}

/** What is different in the form. A PATCH leaves alone what it does not name. */
function draft() {
  const { name, email, phone, is_active } = editor.elements;
  const now = {
    name: name.value,
    email: email.value,
    phone: phone.value || null, // `null` takes the number away.
    is_active: is_active.checked,
  };
  const isNew = ([field, value]) => value !== edited[field];
  return Object.fromEntries(Object.entries(now).filter(isNew));
}

editor.addEventListener("submit", async (event) => {
  event.preventDefault(); // The form stays until the server has accepted what is in it.

  const user = edited;
  const [method, path] = user.id ? ["PATCH", `/users/${user.id}`] : ["POST", "/users"];
  const error = await change(method, path, draft());
  if (user !== edited || !dialog.open) return; // Nobody waits for this answer any more.

  show(error);
  if (!error) dialog.close();
});

/** Shows an error beside the field that it is about. What is about no field comes last. */
function show(error) {
  for (const output of editor.querySelectorAll("output")) {
    const { field } = output.dataset;
    const isHere = error && (error.field ?? "") === field;
    output.value = isHere ? error.message.replace(`${field}: `, "") : "";
    editor.elements[field]?.setAttribute("aria-invalid", Boolean(isHere));
  }
  if (error?.field) editor.elements[error.field]?.focus();
}

dialog.querySelector("[type=button]").addEventListener("click", () => dialog.close());
