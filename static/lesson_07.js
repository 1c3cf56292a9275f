// Lesson 07, the browser's half: who are you, and which room?
//
// The conversation itself is in room.js, which the pages that follow use as well.

import { openRoom } from "./room.js";

const form = document.querySelector("#join");
const open = document.querySelector("#open");
const look = document.querySelector("#look");
const rooms = document.querySelector("#rooms");
const place = document.querySelector("#room");

form.addEventListener("submit", (event) => {
  event.preventDefault();

  const { username, room } = form.elements;
  const parts = [room.value, username.value].map(encodeURIComponent);
  openRoom(place, `/ws/chat/${parts.join("/")}`, {
    me: username.value,
    typing: "typing" in form.dataset, // The page says whether our server knows it.
    entering: () => {
      form.hidden = true;
    },
    left: () => {
      form.hidden = false;
      listRooms();
    },
  });
});

look.addEventListener("click", listRooms);

/** Asks the server which rooms there are now. Nobody tells us when they change. */
async function listRooms() {
  const list = await ask("/rooms");

  rooms.replaceChildren(...list.map(button));
  open.value =
    list.length === 0 ? "No room is open. Join one, and it is." : "Open rooms:";
}

async function ask(path) {
  try {
    return await (await fetch(path)).json();
  } catch {
    return []; // No server runs. The room says so too, when somebody tries to join.
  }
}

function button({ room, members }) {
  const choose = document.createElement("button");
  choose.type = "button";
  choose.textContent = `${room} (${members})`;
  choose.addEventListener("click", () => {
    form.elements.room.value = room;
  });

  const item = document.createElement("li");
  item.append(choose);
  return item;
}

listRooms();
