// What a server of the course says about itself, to the lab and to pages of the book.

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
