// What a close code means, in words that help.

const MEANINGS = {
  1000: "The conversation ended as it should.",
  1001: "The other side went away: the server is shutting down.",
  1002: "One side broke the rules of the protocol.",
  1003: "The server does not take this kind of data.",
  1005: "The goodbye carried no code.",
  1006:
    "No goodbye came. The server refused us, the line dropped, or no server is " +
    "running: a page cannot find out which.",
  1007: "A text was not valid UTF-8.",
  1008: "Something we did is against the server's rules.",
  1009: "Our message was too big for the server.",
  1011: "The server met a problem of its own.",
  1013: "The server is busy. Try again in a moment.",
  4001: "You showed no valid token, or it has expired.",
  4008: "We were too slow: too many messages were waiting for us.",
  4009: "Somebody here has this name already. Choose another.",
  4010: "One side gave no sign of life, so the other one hung up.",
  4011: "Nobody used this connection for a long time.",
};

/** Says why a socket closed. Takes the `close` event. */
export function explain({ code, reason }) {
  const meaning = MEANINGS[code] ?? "This page does not know that code.";
  const words = reason && `, “${reason}”`;

  return `Closed. ${meaning} (Code ${code}${words})`;
}
