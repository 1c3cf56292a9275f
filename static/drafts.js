// What somebody has said, until the server has answered it.
//
// A chat server sends each message back to its sender, or it sends an error. What it
// refuses comes back, and so does what it has not answered when the connection ends: it may
// be lost. Either way nobody has to type it again.

import { make } from "./elements.js";
import { write } from "./log.js";

/** Keeps what is sent from this field. */
export function keepDrafts(field) {
  const unanswered = []; // In the order in which they were sent. So are the answers.

  /** Into the field, unless something else is in it. */
  function putBack(text, why) {
    if (field.value === "") {
      field.value = text;
      return;
    }

    const button = make("button", { type: "button", textContent: "Put it back" });
    button.addEventListener("click", () => {
      field.value = `${text} ${field.value}`.trim();
      field.focus();
      button.remove();
    });
    write("problem", text, why).append(" ", button);
  }

  return {
    sent(text) {
      unanswered.push(text);
    },
    /** Our own message has come back. What we sent before it gets no answer any more. */
    accepted(content) {
      const index = unanswered.findIndex((text) => text.trim().endsWith(content));
      unanswered.splice(0, index + 1);
    },
    /** An error has come. It does not name its message, but they are in one order. */
    refused() {
      const text = unanswered.shift();
      if (text !== undefined) putBack(text, "It was refused:");
    },
    /** The connection has ended. */
    lost() {
      for (const text of unanswered.splice(0)) putBack(text, "It may be lost:");
    },
    /** The server has dropped messages for us, so answers may be among them. */
    forget() {
      unanswered.length = 0;
    },
  };
}
