// The frame around every page: what needs a script. It runs before the scripts of the page.

import { addDrawer } from "./drawer.js";
import { make } from "./elements.js";

// Pages of no program open no sockets, and the lab shows them itself.
const isOfProgram = document.querySelector('meta[name="package"]');
if (isOfProgram) addDrawer(document.querySelector("#bar"));

// The address of a page may say what is on it, such as a room. So the link that skips the
// bar moves the focus, and leaves the address alone.
document.querySelector(".skip").addEventListener("click", (event) => {
  event.preventDefault();
  const main = document.querySelector("main");
  main.tabIndex = -1; // For this moment alone, or each click on the page would be a focus.
  main.addEventListener("blur", () => main.removeAttribute("tabindex"), { once: true });
  main.focus();
});

for (const command of document.querySelectorAll("pre")) addCopy(command);

/** Adds a button that copies a command. */
function addCopy(command) {
  // Browsers let a page write to the clipboard only if it came over HTTPS or from this
  // computer.
  if (!navigator.clipboard) return;

  const button = make("button", { type: "button" }, "Copy");
  button.addEventListener("click", async () => {
    // A browser may refuse, and then says so on its console.
    await navigator.clipboard.writeText(command.textContent);
    button.textContent = "Copied";
  });
  command.after(button);
}
