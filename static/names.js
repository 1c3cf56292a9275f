// Names of people and rooms, as the server counts and compares them: in normal form C.
//
// Why? “é” can be one character, or an “e” and a mark. Both look the same, and which one a
// keyboard sends depends on the system.

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
