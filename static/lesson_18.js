// Lesson 18, the browser's half: nothing is lost when the connection is.
//
// delivery.js knows what waits and what we have seen, and delivery-log.js shows it. This page
// connects again by itself (reconnect.js), also when only a heartbeat shows that the network
// is gone.

import { explain } from "./close-codes.js";
import { makeDelivery } from "./delivery-log.js";
import { keepAlive } from "./heartbeat.js";
import { write } from "./log.js";
import { reconnect } from "./reconnect.js";
import { signInAndChat } from "./sign-in.js";

const countdown = document.querySelector("#countdown");

let isLost = false; // And the log says so.

const tries = reconnect({
  connect: () => connect(),
  onWait: count,
  onGiveUp: hideCountdown,
  // Here 4009 always says that a newer connection has taken our place. If we tried again,
  // two windows would replace each other for ever.
  taken: new Set(),
});

const connect = signInAndChat(
  document.querySelector("#sign-in-here"),
  document.querySelector("#room"),
  {
    countdown,
    makeDelivery,
    onConnecting: (socket) => {
      countdown.textContent = "We try now.";
      tries.follow(socket);
      keepAlive(socket);
      socket.addEventListener("open", hideCountdown);
      // A server may open each connection only to close it, while it can serve nobody.
      socket.addEventListener("message", () => (isLost = false), { once: true });
    },
    onClose: (event, opened) => {
      // The tries that follow do not know why the connection ended.
      const isOver = countdown.hidden;
      if (opened && (!isLost || isOver)) write("notice", explain(event));
      isLost ||= opened;
      return !isOver;
    },
    onLeft: () => {
      hideCountdown();
      tries.stop();
    },
  },
);

// Nobody needs to wait for half a minute if the browser says that there is a network again.
window.addEventListener("online", tries.restart);

function count(milliseconds) {
  countdown.hidden = false;
  countdown.textContent = `We try again in ${Math.ceil(milliseconds / 1000)} s.`;
}

function hideCountdown() {
  countdown.hidden = true;
}
