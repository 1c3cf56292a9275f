// The frame around every page: what needs a script.

for (const command of document.querySelectorAll("pre")) addCopy(command);

/** Adds a button that copies a command. */
function addCopy(command) {
  // Browsers let a page write to the clipboard only if it came over HTTPS or from this
  // computer.
  if (!navigator.clipboard) return;

  const button = document.createElement("button");
  button.type = "button";
  button.textContent = "Copy";
  button.addEventListener("click", async () => {
    // A browser may refuse, and then says so on its console.
    await navigator.clipboard.writeText(command.textContent);
    button.textContent = "Copied";
  });
  command.after(button);
}
