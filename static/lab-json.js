// What a server of the course says about itself, to the lab and to pages of the book.

/** Where `mdbook serve book` shows the book. Programs of the course answer its pages there. */
export const BOOK = ["http://127.0.0.1:3000", "http://localhost:3000"];

/**
 * Resolves to the `package` that runs, the `path` where its clients connect, `messages` and
 * `transcripts` to try, and whether it has `xray`. Resolves to nothing if no server answers,
 * if it has no lab, or if it does not let this page ask.
 */
export async function describeServer(server = "") {
  try {
    const answer = await fetch(`${server}/lab.json`, { credentials: "omit" });
    return answer.ok ? await answer.json() : undefined;
  } catch {
    return undefined;
  }
}

/**
 * Why a server does not answer this page of the book: `answers` says whether it answers
 * anybody, and `sentence`, unless it is empty, that it does not know the page's address.
 */
export async function whyNoAnswer(server) {
  const asked = fetch(server, { mode: "no-cors", credentials: "omit" });
  const answers = await asked.then(() => true, () => false);
  const { origin } = location;
  const isKnown = BOOK.includes(origin) || origin === new URL(server).origin;
  const sentence =
    `A server answers at ${server}, but not to the pages of ${origin}. Programs of the ` +
    `course know the book at ${BOOK.join(" and ")}. Open it there: mdbook serve book`;
  return { answers, sentence: answers && !isKnown ? sentence : "" };
}
