// Lesson 09, the browser's half: a connection can be lost without either side being told.
//
// The browser answers the server's pings by itself, and tells no script. So the page sends
// pings of its own, as messages, and shows when the server last sent something.

import { keepAlive } from "./heartbeat.js";
import { signInAndChat } from "./sign-in.js";

const formIn = document.querySelector("#sign-in-here");
const roomIn = document.querySelector("#room");
const heartbeat = document.querySelector("#heartbeat");
const lastMessage = document.querySelector("#last-message");

signInAndChat(formIn, roomIn, {
  onConnecting: (socket) => {
    keepAlive(socket, showTime);
  },
});

function showTime() {
  heartbeat.hidden = false;
  lastMessage.textContent = new Date().toLocaleTimeString();
}
