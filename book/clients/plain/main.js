import { subscribe } from "./live.js";

const state = document.querySelector("#state");
const list = document.querySelector("#users");

subscribe("users", ({ state: now, rows }) => {
  state.value = now;
  list.replaceChildren(
    ...rows.map(({ name, email }) => {
      const line = document.createElement("li");
      line.textContent = `${name}, ${email}`;
      return line;
    }),
  );
});
