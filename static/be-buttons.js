// Signing in without typing: a button for each person of people.js, such as “Be ana”.

import { make } from "./elements.js";
import { PEOPLE } from "./people.js";

/** Adds the buttons to a sign-in form, if this server has people to offer. */
export function offerPeople(form) {
  const buttons = Object.keys(PEOPLE).map((name) => beButton(form, name));
  if (buttons.length === 0) return;

  const row = make("p", { className: "status", id: "be" }, ...buttons);
  form.querySelector("fieldset").prepend(row);
}

/** The button of a sign-in form that brings back who was there last. */
export function wayBack(form) {
  const name = form.elements.username.value;
  const own = [...form.querySelectorAll("#be button")].find(
    ({ textContent }) => textContent === label(name),
  );
  return own ?? form.querySelector("fieldset > button");
}

const label = (name) => `Be ${name}`;

/** A click fills in the fields and sends the form, as somebody who types would do. */
function beButton(form, name) {
  const button = make("button", { type: "button", textContent: label(name) });
  button.addEventListener("click", () => {
    form.elements.username.value = name;
    form.elements.password.value = PEOPLE[name];
    form.requestSubmit();
  });
  return button;
}
