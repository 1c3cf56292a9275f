const list = document.querySelector("#users");
let users = [];

function draw() {
  list.replaceChildren(
    ...users.map(({ name, email }) => {
      const line = document.createElement("li");
      line.textContent = `${name}, ${email}`;
      return line;
    }),
  );
}

const response = await fetch("/api/v1/users/");
users = await response.json();
draw();

const socket = new WebSocket(`ws://${location.host}/api/v1/ws/users`);
socket.onmessage = (event) => {
  const message = JSON.parse(event.data);
  const index = users.findIndex((user) => user.id === message.data?.id);
  if (message.type === "created") users.push(message.data);
  if (message.type === "updated") users[index] = message.data;
  if (message.type === "deleted") users.splice(index, 1);
  draw();
};
