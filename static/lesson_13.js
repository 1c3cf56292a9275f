// Lesson 13, the browser's half.

import { signInAndChat } from "./sign-in.js";

const formIn = document.querySelector("#sign-in-here");
const roomIn = document.querySelector("#room");

signInAndChat(formIn, roomIn, { onConnecting: () => {} });
