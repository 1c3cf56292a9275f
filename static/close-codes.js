// What a close code means: its name in RFC 6455 or in IANA's registry, and a sentence.
//
// No page sees 1004, which is reserved, or 1015: a TLS handshake that fails is a 1006.

/** The code of a connection that was lost, or never opened. */
export const ABNORMAL_CLOSURE = 1006;

/** The code with which a server closes when we are not, or no longer, signed in. */
export const NOT_AUTHENTICATED = 4001;

/** The code with which a server closes when somebody in the room has our name. */
export const NAME_TAKEN = 4009;

/** Its reason when nobody else has taken it: a newer connection of ours has. */
const CONNECTED_AGAIN = "you have connected again";

const MEANINGS = {
  1000: "Normal closure: the connection has done what it was opened for.",
  1001: "Going away: the server is shutting down.",
  1002: "Protocol error: one side broke the rules of the WebSocket protocol.",
  1003: "Unsupported data: the server does not accept data of this kind.",
  1005: "No status received: the Close frame had no code.",
  1006: "Abnormal closure: no Close frame came.",
  1007: "Invalid payload data: a text was not valid UTF-8.",
  1008: "Policy violation: we did something that this server does not allow.",
  1009: "Message too big: this server does not accept messages of that size.",
  1010: "Mandatory extension: the server lacks an extension that the client requires.",
  1011: "Internal error: the server met a condition that it did not expect.",
  1012: "Service restart: the server is being restarted. Connect again in a moment.",
  1013: "Try again later: the server cannot serve us now. Connect again in a moment.",
  1014: "Bad gateway: a proxy got no valid response from the server behind it.",
  3000: "Unauthorized: the server does not know who we are. Sign in.",
  3003: "Forbidden: the server knows who we are, and does not allow this.",
  3008: "Timeout: the server waited too long for something from us.",
  // The codes from 4000 on are free. These are the ones of this course.
  4001: "Not authenticated: the token is missing, not valid, or expired. Sign in again.",
  4008: "Too slow: too many messages were waiting for us.",
  4009: "Name taken: somebody here has this name already. Choose another.",
  4010: "Heartbeat timeout: one side no longer answered the other.",
  4011: "Idle timeout: nobody used the connection for a long time.",
  4012: "Not invited: the owner of this room has not invited us.",
  4013: "Kicked: the owner of this room has removed us.",
};

/** What a code means: its name, a colon, and a sentence. */
export function meaning(code) {
  return MEANINGS[code] ?? "This page does not know that code.";
}

/** Says why a socket closed. Takes the `close` event. */
export function explain({ code, reason }) {
  const words = reason && `, “${reason}”`;
  const why =
    reason === CONNECTED_AGAIN
      ? "Replaced: you are in this room by another window now."
      : meaning(code);

  return `Closed. ${why} (Code ${code}${words})`;
}
