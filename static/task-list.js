// A list of tasks: what each one does now, a bar while it runs, and a button to cancel it.

import { make } from "./elements.js";

/** Something to count, for a start. */
export const SAMPLE =
  "Tea for Ana, jam for Ben, and figs for Cem. Ana says that tea is best with jam, Ben " +
  "says that jam is best with tea, and Cem says nothing, for his mouth is full of figs.";

/** Draws tasks in `element`, the newest first. `cancel` is called with a task's number. */
export class TaskList {
  #element;
  #cancel;
  /** The parts of each task on the page, by its number. */
  #drawn = new Map();

  constructor(element, cancel) {
    this.#element = element;
    this.#cancel = cancel;
  }

  /** Draws these tasks, and no others. */
  drawAll(tasks) {
    for (const id of this.#drawn.keys())
      if (!tasks.some((task) => task.id === id)) this.remove(id);
    for (const task of tasks) this.draw(task);
  }

  /** Draws the state of a task. Every message about it has all that there is to know. */
  draw(task) {
    if (!this.#drawn.has(task.id)) this.#drawn.set(task.id, this.#add(task.id));
    const { status, bar, left, cancel } = this.#drawn.get(task.id);
    const isOver = !["queued", "running"].includes(task.status);

    // A screen reader reads `status` aloud when it changes. Not so the numbers, which
    // change all the time: it asks the bar for them.
    const sentence = `Task ${task.id} ${predicate(task)}`;
    if (status.value !== sentence) status.value = sentence;
    left.textContent = estimate(task);
    if (task.status === "running") bar.value = task.percent;
    bar.hidden = isOver;
    cancel.hidden = isOver;
  }

  remove(id) {
    this.#drawn.get(id)?.item.remove();
    this.#drawn.delete(id);
  }

  #add(id) {
    const status = make("output", {});
    // Without a value, a bar only says that something is going on.
    const bar = make("progress", { max: 100, ariaLabel: `Task ${id}` });
    const left = make("small", {});
    const cancel = make("button", {
      type: "button",
      textContent: "Cancel",
      ariaLabel: `Cancel task ${id}`,
    });
    const item = make("li", {}, status, bar, left, cancel);
    cancel.addEventListener("click", () => this.#cancel(id));

    this.#element.prepend(item);
    return { item, status, bar, left, cancel };
  }
}

/** The capstone also says which words are the most frequent, and why a task has failed. */
function predicate({ status, result, message }) {
  switch (status) {
    case "queued":
      return "waits until another one has ended.";
    case "running":
      return "is running.";
    case "finished": {
      const { words, distinct, most_frequent = [] } = result;
      const frequent = most_frequent.map(([word, times]) => `${word} (${times})`).join(", ");
      const sentence = `has finished: ${words} words, ${distinct} different ones.`;
      return frequent ? `${sentence} Most frequent: ${frequent}.` : sentence;
    }
    case "cancelled":
      return "is cancelled.";
    default:
      return message
        ? `has failed: ${message}.`
        : "has failed, and that is the server's fault.";
  }
}

function estimate({ status, percent, seconds_left }) {
  if (status !== "running") return "";
  const isKnown = Number.isFinite(seconds_left); // Nobody can tell at first.
  return isKnown ? `${percent} %, about ${Math.ceil(seconds_left)} s left` : `${percent} %`;
}
