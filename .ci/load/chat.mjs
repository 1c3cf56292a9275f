// The chat of lesson 07 with ws, for Node: JSON, a time, and a set of sockets for each room.

import { WebSocket, WebSocketServer } from "ws";

const server = new WebSocketServer({ host: "127.0.0.1", port: Number(process.env.PORT) });
const rooms = new Map();

server.on("connection", (socket, request) => {
  const [, , , room, username] = request.url.split("/");
  if (!rooms.has(room)) rooms.set(room, new Set());
  const members = rooms.get(room);
  broadcast(members, { type: "user_joined", username });
  members.add(socket);
  socket.on("error", () => {});
  socket.on("close", () => members.delete(socket));
  socket.on("message", (data) => {
    const { content } = JSON.parse(data);
    const timestamp = new Date().toISOString();
    broadcast(members, { type: "chat", room, from: username, content, timestamp });
  });
});

function broadcast(members, message) {
  const text = JSON.stringify(message);
  for (const member of members) if (member.readyState === WebSocket.OPEN) member.send(text);
}
