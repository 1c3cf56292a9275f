// A room for a whole class to read: its messages in large type, over the whole window.
//
// Nothing is drawn twice: the parts of the room move into a dialog, and back when it is
// closed. A modal dialog gets the keyboard, and Esc closes it, without any help of ours.

import { make } from "./elements.js";

/**
 * Makes a button that shows `parts` of the room on the projector, and `update`, which says
 * how many people are here. Call that whenever somebody has joined or left.
 */
export function makeProjector(room, parts) {
  const button = make("button", { type: "button", textContent: "Projector" });
  const title = make("h2", { textContent: `#${room}` });
  const count = make("output", {});
  const close = make("button", { type: "button", textContent: "Close (Esc)" });
  const bar = make("div", { className: "bar" }, title, count, close);
  const dialog = make("dialog", { id: "projector", ariaLabel: `#${room}` }, bar);
  let marks; // Where the parts were.

  button.addEventListener("click", () => {
    marks = parts.map((part) => {
      const mark = document.createComment("This part is on the projector.");
      part.replaceWith(mark);
      return mark;
    });
    dialog.append(...parts);
    button.after(dialog); // So it goes when the room goes.
    dialog.showModal();
    scrollToEnd();
    update();
  });

  close.addEventListener("click", () => dialog.close());

  dialog.addEventListener("close", () => {
    marks.forEach((mark, index) => mark.replaceWith(parts[index]));
    dialog.remove();
    button.focus();
    scrollToEnd();
  });

  /** An element that moves begins at its top again. */
  function scrollToEnd() {
    const log = document.querySelector("#log");
    log.scrollTop = log.scrollHeight;
  }

  async function update() {
    if (!dialog.open) return;

    const members = await peopleIn(room);
    count.value = members ? `${members} ${members === 1 ? "person" : "people"}` : "";
  }

  return { button, update };
}

/** How many people are in the room, or nothing if the server does not say. */
async function peopleIn(room) {
  try {
    const rooms = await (await fetch("/rooms", { cache: "no-store" })).json();
    return rooms.find(({ room: name }) => name === room)?.members;
  } catch {
    return undefined;
  }
}

/** The colour of a name, as an angle: the same for everybody who sees it. */
export function hueOf(name) {
  let sum = 0;
  for (const letter of name) sum = (sum * 31 + letter.codePointAt(0)) % 360;
  return (sum * 137) % 360; // Names that differ little should not look alike.
}
