// A client that answers pings, as every browser does: the WebSocket that Node has built
// in. It stays until it is killed.
//
// Run: node --experimental-websocket client.mjs URL

const socket = new WebSocket(process.argv[2]);

socket.addEventListener("open", () => console.log("open"));
socket.addEventListener("close", ({ code }) => console.log(`closed ${code}`));
