// Shows the command that a learner types, with the address by which this page was opened.

/**
 * A name as the board accepts it: all of it can be seen, and a letter has few marks. That a
 * mark comes after a letter is left to the board.
 */
const NAME = /^(?!.*\p{Default_Ignorable_Code_Point})(?!.*\p{M}{5})[\p{L}\p{M}\p{N}_-]{1,20}$/u;

const command = document.querySelector("#command");
const wrong = document.querySelector("#wrong");
const form = document.querySelector("#who");

form.addEventListener("input", show);
form.addEventListener("submit", (event) => event.preventDefault()); // There is nothing to send.
show();

function show() {
  const name = form.elements.name.value.trim();
  const isName = NAME.test(name.normalize());
  command.replaceChildren(
    part("cargo course watch"),
    " ",
    part(`--class ${location.origin}`),
    " ",
    part(`--name ${isName ? name : "ana"}`),
  );
  wrong.textContent = isName ? "" : "A name has 1 to 20 letters, digits, - and _.";
}

/** A part in which no line ends, so that an option and its value stay together. */
function part(text) {
  const span = document.createElement("span");
  span.textContent = text;
  return span;
}
