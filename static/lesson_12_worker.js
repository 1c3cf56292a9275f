// Ben, a client that is slow for a while. The page sends him where to connect, and then for
// how many seconds he is busy. He sends the page what has come.

let socket;

addEventListener("message", ({ data: { path, token, seconds } }) => {
  if (path) connect(path, token);
  else compute(seconds);
});

function connect(path, token) {
  socket = new WebSocket(path, ["chat.v1", `bearer.${token}`]);

  // The server answers when Ben is in the room. The socket is open a moment earlier.
  socket.addEventListener("open", () => socket.send(JSON.stringify({ type: "ping" })));

  socket.addEventListener("message", ({ data }) => {
    const { type, content, count } = JSON.parse(data);
    if (type === "pong") postMessage({ joined: true });
    if (type === "chat") postMessage({ number: parseInt(content, 10) });
    if (type === "missed") postMessage({ missed: count });
  });

  socket.addEventListener("close", ({ code, reason }) => {
    postMessage({ closed: { code, reason } });
  });
}

/**
 * Computes, as a script does that draws a large table or sorts a long list.
 *
 * A script has one thread, so meanwhile no event reaches it. The browser keeps some of what
 * comes, and then reads no more. TCP tells the server to stop, and the server's writes wait.
 */
function compute(seconds) {
  const end = performance.now() + 1000 * seconds;
  while (performance.now() < end);
}
