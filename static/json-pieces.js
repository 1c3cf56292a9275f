// JSON in pieces, each as it was written: for who draws a text, or replaces a part of it.

/** A key, a value that is no object and no list, or what is between two of them. */
const PIECE =
  /(?<key>"(?:[^"\\]|\\.)*"(?=\s*:))|(?<value>"(?:[^"\\]|\\.)*"?|[-\w.+]+)|[^"\w.+-]+/g;

/** Splits JSON, which may be cut off: `[{ kind, text }]`. The kind is "key", "value" or "". */
export function jsonPieces(json) {
  return [...json.matchAll(PIECE)].map(({ 0: text, groups: { key, value } }) => ({
    kind: key ? "key" : value ? "value" : "",
    text,
  }));
}
