// Is the server there, and does it know us? After a code 1006, only HTTP can tell.
//
// A page gets 1006 when no server runs, when the server rejects the upgrade, and when a
// connection is lost. The browser hides which of them it was, so that a page cannot
// explore networks. But a page may read what its own server answers to a request.

/** How long an answer may take, in milliseconds. */
const TIMEOUT = 5_000;

/** The same where somebody waits for it. On a lost connection there would never be one. */
export const ANSWER_TIMEOUT = 10_000;

const NO_SERVER = "No server answers. Start it, and connect again.";
const LOST = "The server answers: connect again.";
const REJECTED = "The server answers, so it rejected us: a browser hides the reason.";

/**
 * Asks whether a server answers. `opened` says whether the connection had been open.
 *
 * Resolves to a `status`, which is 0 if no server answers, and a `sentence` for people.
 */
export async function askServer(opened = true) {
  return describe(await request("/", { method: "HEAD" }), opened);
}

/**
 * Asks a server with sign-in who we are, by the `token` or, if there is none, the cookie.
 *
 * Resolves as `askServer` does. If the status is 401, we have to sign in again, and the
 * sentence is the server's.
 */
export async function whoAmI(token, opened = true) {
  const bearer = { headers: { Authorization: `Bearer ${token}` }, credentials: "omit" };
  const answer = await request("/me", token && bearer);
  if (answer.status === 401) return { status: 401, sentence: answer.text };
  return describe(answer, opened);
}

/** A cookie belongs to a host. Who has signed in at 127.0.0.1 asks at localhost why not. */
export function notSignedIn() {
  return location.hostname === "localhost"
    ? "You are not signed in at localhost, whose cookies are not those of 127.0.0.1."
    : "You are not signed in.";
}

/** The sentence in an answer that refuses something: a `message` in JSON, or the text. */
export function refusal(text) {
  try {
    return JSON.parse(text).message ?? text;
  } catch {
    return text;
  }
}

/** The status and the text of the answer; or the status 0, if there is none. */
async function request(path, options) {
  try {
    const signal = AbortSignal.timeout(TIMEOUT);
    const answer = await fetch(path, { cache: "no-store", signal, ...options });
    return { status: answer.status, text: refusal(await answer.text()) };
  } catch {
    return { status: 0 };
  }
}

/** A proxy answers 502 or 504 while the server behind it does not. */
function describe({ status }, opened) {
  if ([0, 502, 504].includes(status)) return { status: 0, sentence: NO_SERVER };
  return { status, sentence: opened ? LOST : REJECTED };
}
