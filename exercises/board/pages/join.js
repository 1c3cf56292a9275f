// Shows the command that a learner types, with the address by which this page was opened.

const command = document.querySelector("#command");
const wrong = document.querySelector("#wrong");
const form = document.querySelector("#who");

form.addEventListener("input", show);
form.addEventListener("submit", (event) => event.preventDefault()); // There is nothing to send.
show();

function show() {
  const name = form.elements.name.value.trim();
  const isName = /^[\p{L}\p{M}\p{N}_-]{1,20}$/u.test(name);
  command.textContent = `cargo course watch --class ${location.origin} --name ${isName ? name : "ana"}`;
  wrong.textContent = isName ? "" : "A name has 1 to 20 letters, digits, - and _.";
}
