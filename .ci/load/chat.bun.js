// The chat of lesson 07 with Bun: its rooms are the topics of Bun's own publish and subscribe.

const server = Bun.serve({
  hostname: "127.0.0.1",
  port: Number(process.env.PORT),
  fetch(request, server) {
    const [, , , room, username] = new URL(request.url).pathname.split("/");
    if (server.upgrade(request, { data: { room, username } })) return;
    return new Response("This is a WebSocket.", { status: 426 });
  },
  websocket: {
    open(socket) {
      const { room, username } = socket.data;
      server.publish(room, JSON.stringify({ type: "user_joined", username }));
      socket.subscribe(room);
    },
    message(socket, data) {
      const { room, username } = socket.data;
      const { content } = JSON.parse(data);
      const timestamp = new Date().toISOString();
      const message = { type: "chat", room, from: username, content, timestamp };
      server.publish(room, JSON.stringify(message));
    },
  },
});
