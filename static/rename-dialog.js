// A dialog for a new name. It stays open until the server has accepted the name.

/**
 * Looks after the dialog. `save` gets an id and the new name, and resolves to the reason why
 * the name was not accepted, or to "".
 *
 * Returns a function that opens the dialog, for an id and the name that it has now.
 */
export function renameDialog(dialog, save) {
  const form = dialog.querySelector("form");
  const { text, answer } = form.elements;
  let renamed; // What it is about: a new object each time, so that two can be told apart.

  form.addEventListener("submit", async (event) => {
    event.preventDefault();

    const asked = renamed;
    const problem = await save(asked.id, text.value);
    if (asked !== renamed || !dialog.open) return; // Nobody waits for this answer any more.

    if (!problem) return dialog.close();
    answer.value = problem;
    text.focus();
  });

  form.querySelector("[type=button]").addEventListener("click", () => dialog.close());

  return (id, name) => {
    renamed = { id };
    text.value = name;
    answer.value = ""; // It was about another name.
    dialog.showModal();
    text.select();
  };
}
