// What a server says about itself, to the lab and to pages of the book.

/** Where `mdbook serve` shows the book. Our servers answer its pages there. */
export const BOOK_ORIGINS = ["http://127.0.0.1:3000", "http://localhost:3000"];

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
 * Why a server does not answer a page of another origin: `answers` says whether it answers
 * anybody, and `sentence`, unless it is empty, that it does not know the page's address.
 */
export async function whyNoAnswer(server) {
  const asked = fetch(server, { mode: "no-cors", credentials: "omit" });
  const answers = await asked.then(() => true, () => false);
  const { origin } = location;
  const isKnown = BOOK_ORIGINS.includes(origin) || origin === new URL(server).origin;
  const sentence =
    `A server answers at ${server}, but not to the pages of ${origin}. Open this page at ` +
    `${BOOK_ORIGINS.join(" or ")}, where it is known: mdbook serve book`;
  return { answers, sentence: answers && !isKnown ? sentence : "" };
}
