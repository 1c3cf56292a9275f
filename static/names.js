// Names of people and rooms, as the server counts and compares them: in normal form C.
//
// Why? “é” can be one character, or an “e” and a mark. Both look the same, and which one a
// keyboard sends depends on the system.

import { withStorage } from "./storage.js";

/** Where we remember the last name. No password is ever kept. */
const NAME = "username";

/** The longest name of a person, and of a room, in characters. */
export const USERNAME_LIMIT = 20;
export const ROOM_NAME_LIMIT = 40;

/** The name that stands in a field. */
export function nameIn(field) {
  return field.value.normalize();
}

/**
 * Makes the browser reject a longer name, as it does for a `pattern`.
 *
 * Why not `maxlength`? It counts in UTF-16 and before normalisation, so it would cut off
 * names that the server accepts.
 */
export function limitLength(field, limit) {
  field.addEventListener("input", () => {
    const { length } = [...nameIn(field)];
    const sentence = `A name has at most ${limit} characters. This one has ${length}.`;
    field.setCustomValidity(length > limit ? sentence : "");
  });
}

/** Fills a field with the name that was last used on this computer. */
export function recallName(field) {
  field.value = withStorage((storage) => storage.getItem(NAME)) ?? "";
}

export function rememberName(name) {
  withStorage((storage) => storage.setItem(NAME, name));
}

/**
 * Fills a field with the room that the address names, as in `#room=rust`, now and when
 * somebody puts another one there.
 */
export function followAddress(field) {
  const read = () => {
    const name = new URLSearchParams(location.hash.slice(1)).get("room");
    if (!name) return;

    field.value = name;
    field.dispatchEvent(new Event("input")); // As if somebody had typed it.
  };
  window.addEventListener("hashchange", read);
  read();
}

/** Puts a room into the address, so that one can send it to others. */
export function showInAddress(room) {
  history.replaceState(null, "", `#${new URLSearchParams({ room })}`);
}
