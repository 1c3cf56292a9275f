/** Gets the cookie for a name and a password. An error says why not. */
export async function signIn(username, password) {
  const reply = await fetch("/login", {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ username, password }),
    signal: AbortSignal.timeout(10_000), // A server that does not answer is an error, too.
  });
  if (!reply.ok) throw new Error(await reply.text());
}
