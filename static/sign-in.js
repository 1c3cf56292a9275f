// Signing in, and then the room: what the pages from lesson 09 on have in common.
//
// Lesson 08 shows how it works, step by step.

import { offerPeople, wayBack } from "./be-buttons.js";
import { make, takeFocus } from "./elements.js";
import {
  ROOM_NAME_LIMIT,
  followAddress,
  limitLength,
  nameIn,
  recallName,
  rememberName,
} from "./names.js";
import { openRoom } from "./room.js";
import { ANSWER_TIMEOUT, notSignedIn, whoAmI } from "./server.js";
import { nameSockets } from "./xray.js";

/** Asks for a token, and for a cookie unless `credentials` is "omit". */
export function login(username, password, credentials = "same-origin") {
  return fetch("/login", {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ username, password }),
    credentials,
    signal: AbortSignal.timeout(ANSWER_TIMEOUT),
  });
}

/**
 * Draws a form for a name and a password in `formIn`, and calls `onSignedIn` with the
 * server's answer: the cookie is set then. `more` are elements to have in the form, too.
 *
 * Returns `show`, which shows the form with a sentence and the keyboard in it, `hide`, and
 * `askAgain`, which shows it for a new password.
 */
export function signInForm(formIn, onSignedIn, ...more) {
  const username = make("input", {
    name: "username",
    autocomplete: "username",
    autocapitalize: "none",
    spellcheck: false,
    autofocus: true,
    required: true,
  });
  const password = make("input", {
    name: "password",
    type: "password",
    autocomplete: "current-password",
    required: true,
  });
  const fields = make(
    "fieldset",
    {},
    make("label", {}, "Name ", username),
    make("label", {}, "Password ", password),
    ...more,
    make("button", { textContent: "Sign in" }),
  );
  const answer = make("output", { id: "answer", value: notSignedIn() });
  const status = make("p", { className: "status" }, answer);
  const form = make("form", { id: "sign-in" }, fields, status);
  formIn.replaceChildren(form);
  offerPeople(form);
  recallName(username);
  (username.value ? password : username).focus();

  form.addEventListener("submit", async (event) => {
    event.preventDefault();

    fields.disabled = true; // However often somebody clicks, we ask once.
    const user = await signIn();
    fields.disabled = false;

    if (!user) return password.focus();
    password.value = ""; // The cookie replaces it from now on.
    rememberName(user.username);
    nameSockets(user.username);
    onSignedIn(user);
  });

  /** Gets the cookie for the name and the password; or says why not, and returns nothing. */
  async function signIn() {
    try {
      const reply = await login(username.value, password.value);
      if (reply.ok) return await reply.json();

      answer.value = await reply.text();
    } catch {
      answer.value = "No server answers.";
    }
  }

  function show(sentence) {
    answer.value = sentence;
    form.hidden = false;
  }

  return {
    show: (sentence) => {
      show(sentence);
      takeFocus(wayBack(form));
    },
    hide: () => {
      form.hidden = true;
    },
    askAgain: (sentence) => {
      show(sentence);
      takeFocus(password);
    },
  };
}

/**
 * The same form, with a room. Who has signed in enters the room, which is drawn in `roomIn`.
 *
 * - `onConnecting` is called with each new socket, before it is open, and the room's path.
 * - `onClose` is called when it has closed, with the event and whether it had been open. It
 *   returns true if the page connects again by itself.
 * - `countdown` is an element that stands beside the state of the room.
 * - `onLeft` is called when somebody has left the room, or has to sign in again, before the
 *   form is shown.
 * - `makeDelivery` is as in room.js.
 *
 * Returns a function that connects again.
 */
export function signInAndChat(formIn, roomIn, options = {}) {
  const { onConnecting, onClose, onLeft, countdown, makeDelivery } = options;
  const room = make("input", {
    name: "room",
    value: "rust",
    pattern: "(?:[\\p{L}\\p{N}]\\p{M}*|[_\\-])+",
    title: "1 to 40 letters of any script, digits, - and _",
    autocomplete: "off",
    autocapitalize: "none",
    spellcheck: false,
    required: true,
  });
  limitLength(room, ROOM_NAME_LIMIT);
  followAddress(room);

  let conversation;
  const form = signInForm(formIn, enter, make("label", {}, "Room ", room));

  /** Enters the room under the name that the server gave us. It may differ in its case. */
  function enter(user) {
    const path = `/ws/chat/${encodeURIComponent(nameIn(room))}`;
    conversation = openRoom(roomIn, path, {
      room: nameIn(room),
      me: user.username,
      countdown,
      makeDelivery,
      ask: (opened) => whoAmI(undefined, opened),
      onConnecting: (socket) => {
        form.hide();
        onConnecting?.(socket, path);
      },
      onClose,
      onLeft: () => {
        onLeft?.();
        form.show("");
      },
      onSignedOut: (sentence) => {
        onLeft?.();
        form.askAgain(sentence);
      },
    });
  }

  return () => conversation.connect();
}
