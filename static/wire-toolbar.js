// The toolbar of the wire view: what is shown, and what one can do with it.

import { make } from "./elements.js";

const KINDS = ["text", "binary", "ping", "pong", "close", "HTTP", "tcp"];

/** `actions` are what is called when somebody presses a button, and "filter". */
export class Toolbar {
  #actions;
  #clients = new Set(); // The filters that are pressed.
  #kinds = new Set();
  #words = "";
  #chips = make("div", { role: "group", className: "clients" });
  #field = make("input", { type: "search", placeholder: "Filter text" });

  constructor(actions) {
    this.#actions = actions;
    this.#chips.ariaLabel = "Show only these clients";
    this.#field.ariaLabel = "Filter text";
    this.#field.addEventListener("input", () => {
      this.#words = this.#field.value.toLowerCase();
      actions.filter();
    });
    const kinds = group(
      "Show only these kinds",
      ...KINDS.map((kind) => this.#chip(this.#kinds, kind)),
    );
    const filters = group("Filters", this.#chips, kinds, this.#field);
    filters.className = "filters";
    const large = this.#button("large", "A", true);
    large.ariaLabel = "Large type";
    large.append(make("big", {}, "A"));
    const buttons = group(
      "Actions",
      this.#button("pause", "Pause", true),
      this.#button("clear", "Clear"),
      this.#button("total", "Since first", true),
      this.#button("copy", "Copy as transcript"),
      this.#button("download", "Download"),
      large,
    );
    this.element = make("div", { className: "toolbar" }, filters, buttons);
  }

  #button(name, label, isSwitch = false) {
    const button = make("button", { type: "button", name }, label);
    if (isSwitch) button.ariaPressed = "false";
    button.addEventListener("click", () => this.#actions[name]());
    return button;
  }

  /** A button that is pressed while `set` has its `value`. */
  #chip(set, value) {
    const chip = make("button", { type: "button" }, value);
    chip.ariaPressed = `${set.has(value)}`;
    chip.addEventListener("click", () => {
      const isPressed = !set.has(value);
      if (isPressed) set.add(value);
      else set.delete(value);
      chip.ariaPressed = `${isPressed}`;
      this.#actions.filter();
    });
    return chip;
  }

  /** Tells of a row whether it is shown. If nothing is pressed, everything is. */
  get filter() {
    const clients = new Set(this.#clients);
    const kinds = new Set(this.#kinds);
    const words = this.#words;
    return ({ client, group, kind, text = "" }) =>
      kind === "note" ||
      ((clients.size === 0 || clients.has(client)) &&
        (kinds.size === 0 || kinds.has(group)) &&
        (!words || text.toLowerCase().includes(words)));
  }

  /** Gives the keyboard to the field for a text. */
  focus() {
    this.#field.focus();
  }

  press(name, isPressed) {
    this.#named(name).ariaPressed = `${isPressed}`;
  }

  name(name, label) {
    const button = this.#named(name);
    if (button.textContent !== label) button.textContent = label;
  }

  #named(name) {
    return this.element.querySelector(`[name="${name}"]`);
  }

  forgetClients() {
    this.#clients.clear();
  }

  drawClients(lanes) {
    const focused = [...this.#chips.children].indexOf(
      this.#chips.getRootNode().activeElement,
    );
    const chips = lanes.clients.map((client) => {
      const chip = this.#chip(this.#clients, client);
      chip.className = `hue-${lanes.hue(client)}`;
      return chip;
    });
    this.#chips.replaceChildren(...chips);
    chips[focused]?.focus(); // They are new, and somebody may be about to press one.
  }
}

function group(ariaLabel, ...children) {
  return make("div", { role: "group", ariaLabel }, ...children);
}
