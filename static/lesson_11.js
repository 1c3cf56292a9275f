// Lesson 11, the browser's half: a page that opens more connections than one person may
// have, and says what became of them.

import { explain } from "./close-codes.js";
import { write } from "./log.js";
import { signInAndChat } from "./sign-in.js";

/** How long a new connection may take to be closed. Then we count it as let in. */
const ONE_SECOND = 1000;

const formIn = document.querySelector("#sign-in-here");
const roomIn = document.querySelector("#room");
const limits = document.querySelector("#limits");

signInAndChat(formIn, roomIn, {
  onConnecting: (socket) => {
    socket.addEventListener("open", () => {
      limits.hidden = false;
    });
  },
  onClose: () => {
    limits.hidden = true;
  },
});

limits.addEventListener("click", async ({ target }) => {
  const count = Number(target.value);
  if (!count) return; // It was no button.

  target.disabled = true;
  await openTabs(count);
  target.disabled = false;
});

/** Opens so many connections at once, and writes down what became of them. */
async function openTabs(count) {
  const opening = Array.from({ length: count }, (_, i) => openTab(`tab-${i + 1}`));
  const tabs = await Promise.all(opening);
  const endings = tabs.map(({ ending }) => ending).filter(Boolean);
  tabs.forEach(({ socket }) => socket.close(1000));

  write("notice", `${count - endings.length} of ${count} connections were let in.`);
  for (const ending of new Set(endings)) {
    const times = endings.filter((other) => other === ending).length;
    write("problem", `${times} of ${count}: ${ending}`);
  }
}

/**
 * Opens a connection to this room. We get its socket after a second; or, if it is closed
 * before that, at once, and with a sentence that says why.
 */
function openTab(room) {
  return new Promise((resolve) => {
    const socket = new WebSocket(`/ws/chat/${room}`);
    socket.addEventListener("open", () => {
      setTimeout(() => resolve({ socket }), ONE_SECOND);
    });
    socket.addEventListener("close", (event) => {
      resolve({ socket, ending: explain(event) });
    });
  });
}
