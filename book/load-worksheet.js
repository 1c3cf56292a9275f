// <load-worksheet>: which machine a chat needs, and how many of them, from numbers of its own.
//
//   <load-worksheet>What stands here without this script.</load-worksheet>

import { make } from "../static/elements.js";

/** The questions: a name, a label, what stands there at first, and the unit. */
const QUESTIONS = [
  ["connections", "Connections at the busiest hour", 10_000, ""],
  ["kib", "Memory for each, in the process and in the kernel", 16, "KiB"],
  ["members", "Members of a room", 20, ""],
  ["minutes", "One member writes a message every", 1, "min"],
  ["micros", "The processor's time for a delivery", 1, "µs"],
  ["bytes", "Bytes of a delivery on the wire", 300, ""],
  ["memory", "Memory of a machine", 2, "GiB"],
  ["cores", "Processors of a machine", 2, ""],
];

/** How much of a machine may be in use at the busiest hour. */
const BUSY = 0.5;

/** Answers for numbers under the names of the questions. */
export function plan({ connections, kib, members, minutes, micros, bytes, memory, cores }) {
  const messages = connections / (minutes * 60);
  const deliveries = messages * members;
  const mebibytes = (connections * kib) / 1024;
  const processors = (deliveries * micros) / 1e6;
  const needed = Math.max(mebibytes / (memory * 1024), processors / cores) / BUSY;
  const nodes = Math.max(1, Math.ceil(needed)) + 1;
  return {
    "Messages a second": messages,
    "Deliveries a second": deliveries,
    "Memory for connections, MiB": mebibytes,
    "Processors in use": processors,
    "Network, Mbit/s": (deliveries * bytes * 8) / 1e6,
    "Machines, one of which may fail": nodes,
    "Open files of each, when one has failed": Math.ceil(connections / (nodes - 1)),
  };
}

const STYLE = `
  :host { display: block; margin-block: 1.2em; }
  form, dl { display: grid; gap: 6px 12px; align-items: center; max-width: 40em; }
  form { grid-template-columns: 1fr 6em 2em; }
  dl { grid-template-columns: 1fr calc(8em + 12px); margin-block: 16px 0; }
  input { min-height: 36px; padding-inline: 6px; font: inherit; color: inherit; background: none; border: 1px solid; }
  dd { margin: 0; padding-inline: 7px; font-variant-numeric: tabular-nums; }`;

class LoadWorksheet extends HTMLElement {
  #form = make("form", { ariaLabel: "A chat of your own" });
  #answers = make("dl", { ariaLive: "polite" });

  connectedCallback() {
    if (this.shadowRoot) return;

    for (const [name, label, value, unit] of QUESTIONS) {
      const input = make("input", { id: name, name, type: "number", min: 0, step: "any", value });
      this.#form.append(make("label", { htmlFor: name }, label), input, make("span", {}, unit));
    }
    this.#form.addEventListener("input", () => this.#show());
    this.#form.addEventListener("submit", (event) => event.preventDefault());
    const style = make("style", {}, STYLE);
    this.attachShadow({ mode: "open" }).append(style, this.#form, this.#answers);
    this.#show();
  }

  #show() {
    const numbers = QUESTIONS.map(([name]) => [name, this.#form.elements[name].valueAsNumber]);
    const answers = Object.entries(plan(Object.fromEntries(numbers)));
    this.#answers.replaceChildren(
      ...answers.flatMap(([what, number]) => [
        make("dt", {}, what),
        make("dd", {}, Number.isFinite(number) ? shown(number) : "–"),
      ]),
    );
  }
}

/** Three digits are more than such a calculation knows. */
function shown(number) {
  return number.toLocaleString("en", { maximumSignificantDigits: Number.isInteger(number) ? 21 : 3 });
}

customElements.define("load-worksheet", LoadWorksheet);
