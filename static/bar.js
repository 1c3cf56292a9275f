// The frame around every page: what needs a script. It runs before the scripts of the page.

import { addDrawer } from "./drawer.js";
import { make } from "./elements.js";

// Pages of no program open no sockets, and the lab shows them itself.
const isOfProgram = document.querySelector('meta[name="package"]');
if (isOfProgram) addDrawer(document.querySelector("#bar"));

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
