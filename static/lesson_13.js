// Lesson 13, the browser's half: when the server has gone, this page connects again by
// itself, at random moments that are further and further apart (reconnect.js).
//
// The token is in a cookie, and the next server has the same secret. If it has not, the
// page finds that out over HTTP, and asks for the password again.

import { explain } from "./close-codes.js";
import { write } from "./log.js";
import { reconnect } from "./reconnect.js";
import { signInAndChat } from "./sign-in.js";

const countdown = document.querySelector("#countdown");

const tries = reconnect({
  connect: () => connect(),
  onWait: count,
  onGiveUp: () => {
    countdown.hidden = true; // Another try would end in the same way.
  },
});

const connect = signInAndChat(
  document.querySelector("#sign-in-here"),
  document.querySelector("#room"),
  {
    countdown,
    onConnecting: (socket) => {
      countdown.textContent = "We try now.";
      tries.follow(socket);
      socket.addEventListener("open", () => {
        countdown.hidden = true;
      });
    },
    onClose: (event, opened) => {
      // The tries that follow do not know why the connection ended.
      if (opened) write("notice", explain(event));
      return !countdown.hidden;
    },
    onLeft: stopTrying,
  },
);

function stopTrying() {
  countdown.hidden = true;
  tries.stop();
}

function count(milliseconds) {
  countdown.hidden = false;
  countdown.textContent = `We try again in ${Math.ceil(milliseconds / 1000)} s.`;
}
