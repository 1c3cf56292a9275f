// The users: a table that is always as it is on the server.
//
// live.js subscribes to its events and loads it. What is left for us is to draw the rows,
// and to ask for changes. We never change a row ourselves: each change that we ask for comes
// back as an event, like those that others ask for.

import { make } from "./elements.js";
import { ApiError, ask, subscribe } from "./live.js";
import { renameDialog } from "./rename-dialog.js";
import { drawRows } from "./rows.js";

const state = document.querySelector("#users-state");
const body = document.querySelector("#users tbody");
const add = document.querySelector("#add-user");
const reply = document.querySelector("#users-reply");
const dialog = document.querySelector("#rename");

const askForName = renameDialog(dialog, (id, name) =>
  change("PATCH", `/users/${id}`, { name }),
);

/**
 * Subscribes to the users, and calls `onSignedOut` with a sentence when only a new sign-in can
 * help. Returns a function that ends it.
 */
export function openUsers(onSignedOut) {
  body.replaceChildren();
  reply.value = "";
  const stop = subscribe("users", (users) => {
    drawState(users);
    draw(users);
    if (users.state === "signed out") onSignedOut(users.problem);
  });
  return () => {
    dialog.close();
    stop();
  };
}

function drawState({ state: now, news, problem }) {
  if (now === "connecting") state.value = "Connecting …";
  if (now === "live") state.value = "Live: what others change appears at once.";
  // An announcement may come before the list does. It does not say why we reconnect.
  if (now === "reconnecting" && news instanceof CloseEvent) {
    const why = problem || (news.reason && `Closed: ${news.reason}.`);
    state.value = ["Not live.", why, "We try again."].filter(Boolean).join(" ");
  }
}

/** Draws the rows that are there now, and marks the one that the news is about. */
function draw({ rows, news }) {
  drawRows(body, rows, news?.model && news.data.id, { newRow, fill });
  if (news?.type === "announcement") reply.value = `Announcement: ${news.message}`;
}

function newRow({ id }) {
  const edit = make("button", { type: "button", textContent: "Rename" });
  const remove = make("button", { type: "button", textContent: "Delete" });
  const row = make("tr", {}, make("td", {}), make("td", {}, edit, remove));
  edit.addEventListener("click", () => askForName(id, row.dataset.name));
  remove.addEventListener("click", async () => {
    reply.value = await change("DELETE", `/users/${id}`);
  });
  return row;
}

function fill(row, { name, email, owner, is_active }) {
  const about = [email, `owner: ${owner}`, ...(is_active ? [] : ["not active"])];
  const small = make("small", {}, about.join(", "));
  row.dataset.name = name;
  row.cells[0].replaceChildren(name, make("br", {}), small);
  for (const button of row.querySelectorAll("button"))
    button.ariaLabel = `${button.textContent} ${name}`;
}

/** Asks for a change. If it worked, the events show it. If not, this gives the reason. */
async function change(method, path, body) {
  try {
    await ask(method, path, body);
    return "";
  } catch (error) {
    return error instanceof ApiError ? error.message : "No server answers.";
  }
}

add.addEventListener("submit", async (event) => {
  event.preventDefault();
  const { name, email } = add.elements;
  const user = { name: name.value, email: email.value };
  reply.value = await change("POST", "/users", user);
  if (!reply.value) add.reset();
});
