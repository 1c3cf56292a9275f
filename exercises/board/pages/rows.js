// What the board knows of a class, without a page: so it can be tried without one.

/** From so many seconds at one step on, somebody may need help. */
export const HELP_AFTER = 10 * 60;

/** From so many seconds on, the row is red. */
export const STUCK_AFTER = 20 * 60;

/**
 * The rows, as the board's messages have made them. `now` gives seconds that never go back:
 * `seconds` in a message count from when it came, because the clocks of two machines differ.
 */
export class Rows {
  #rows = new Map();
  #version;

  constructor(now = () => performance.now() / 1000) {
    this.now = now;
    this.exercises = [];
    this.addresses = [];
  }

  /** Takes a message in. False if one before it is missing: then a new snapshot is needed. */
  apply(message) {
    if (message.type === "snapshot") {
      this.#rows.clear();
      this.#version = message.version;
      this.exercises = message.exercises;
      this.addresses = message.addresses;
      for (const learner of message.learners) this.#set(learner);
      return true;
    }
    if (message.version !== this.#version + 1) return false;

    this.#version = message.version;
    if (message.type === "learner") this.#set(message.learner);
    if (message.type === "removed") this.#rows.delete(message.name);
    return true;
  }

  #set(learner) {
    this.#rows.set(learner.name, { ...learner, came: this.now() });
  }

  /** All rows, by name or with those first who have been at one step for the longest time. */
  sorted(order) {
    const rows = [...this.#rows.values()].map((row) => this.#seen(row));
    const byName = (a, b) => a.name.localeCompare(b.name) || (a.name < b.name ? -1 : 1);
    const byTime = (a, b) =>
      Number(a.away !== null) - Number(b.away !== null) || b.seconds - a.seconds;
    return rows.sort((a, b) => (order === "help" && byTime(a, b)) || byName(a, b));
  }

  /** A row as it is at this moment. */
  #seen({ came, ...row }) {
    const passed = this.now() - came;
    const isAway = row.away !== null;
    // Who is away is at no step. -1 comes after those who have begun one at this moment.
    const seconds = row.current ? row.current.seconds + (isAway ? 0 : passed) : -1;
    let help = "";
    if (!isAway && seconds >= HELP_AFTER) help = seconds >= STUCK_AFTER ? "stuck" : "slow";
    return { ...row, seconds, help, away: isAway ? row.away + passed : null };
  }

  /** By how many each exercise is solved, in the order of the course. */
  totals() {
    const rows = [...this.#rows.values()];
    return this.exercises.map(({ name }) => rows.filter((row) => isSolved(row, name)).length);
  }
}

/** Whether all steps of an exercise pass. */
export function isSolved(row, exercise) {
  const count = row.exercises[exercise];
  return count !== undefined && count.steps > 0 && count.passed === count.steps;
}

/** A short name for the head of a column, and a long one: `W2` and `Warm-up 2`. */
export function labels(exercises) {
  let warmUps = 0;
  let others = 0;
  return exercises.map(({ name, title }) => {
    if (name.startsWith("warm_up_")) {
      warmUps += 1;
      return { short: `W${warmUps}`, long: `Warm-up ${warmUps}`, title };
    }
    others += 1;
    return { short: `${others}`, long: `Exercise ${others}`, title };
  });
}

/** `step_2_it_counts` as a person says it: `step 2: it counts`. */
export function sentence(step) {
  const [, number, rest] = /^step_(\d+)_(.*)$/s.exec(step) ?? [];
  return number ? `step ${number}: ${rest.replaceAll("_", " ")}` : step.replaceAll("_", " ");
}

/** Seconds as one reads them from afar. */
export function time(seconds) {
  const minutes = Math.floor(seconds / 60);
  if (minutes < 1) return "< 1 min";
  return minutes < 60 ? `${minutes} min` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}
