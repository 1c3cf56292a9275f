// Lesson 07, the browser's half: a form for the name and the room.
//
// The conversation itself is in room.js, which the pages that follow use as well.

import { takeFocus } from "./elements.js";
import {
  ROOM_NAME_LIMIT,
  USERNAME_LIMIT,
  followAddress,
  limitLength,
  nameIn,
  recallName,
  rememberName,
} from "./names.js";
import { openRoom } from "./room.js";

const form = document.querySelector("#join");
const join = document.querySelector("#join fieldset > button");
const open = document.querySelector("#open");
const look = document.querySelector("#look");
const rooms = document.querySelector("#rooms");
const container = document.querySelector("#room");
const { username, room } = form.elements;

form.addEventListener("submit", (event) => {
  event.preventDefault();

  const parts = [nameIn(room), nameIn(username)].map(encodeURIComponent);
  openRoom(container, `/ws/chat/${parts.join("/")}`, {
    room: nameIn(room),
    me: nameIn(username),
    typing: "typing" in form.dataset, // The page says whether our server knows it.
    onConnecting: () => {
      form.hidden = true;
      rememberName(nameIn(username));
    },
    onLeft: () => {
      form.hidden = false;
      takeFocus(join);
      listRooms();
    },
  });
});

limitLength(username, USERNAME_LIMIT);
limitLength(room, ROOM_NAME_LIMIT);
recallName(username);
followAddress(room);

look.addEventListener("click", listRooms);

/** Asks the server which rooms there are now. It does not announce changes. */
async function listRooms() {
  try {
    const list = await (await fetch("/rooms")).json();
    rooms.replaceChildren(...list.map(button));
    open.value =
      list.length === 0 ? "No room is open. Join one, and it is." : "Open rooms:";
  } catch {
    rooms.replaceChildren();
    open.value = "No server answers.";
  }
}

function button({ room: name, members }) {
  const choose = document.createElement("button");
  choose.type = "button";
  choose.textContent = `${name} (${members})`;
  choose.addEventListener("click", () => {
    room.value = name;
    room.dispatchEvent(new Event("input")); // As if somebody had typed it.
  });

  const item = document.createElement("li");
  item.append(choose);
  return item;
}

listRooms();
