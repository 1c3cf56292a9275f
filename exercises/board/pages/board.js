// The page for the projector: it shows what the board sends, and sends nothing itself.

import { Rows, isSolved, labels, sentence, time } from "./rows.js";

/** How often the times on the page move on, in milliseconds. */
const TICK = 5000;

/** How long we wait before we connect again: twice as long each time, but at most so long. */
const FIRST_WAIT = 500;
const LONGEST_WAIT = 10_000;

/** With more learners than these, the name of a step has one line. */
const CROWDED = 12;

/** How many of those who may need help are named above the table. */
const NAMED = 6;

const find = (id) => document.getElementById(id);
const [state, summary, solved, help, order] = ["state", "summary", "solved", "help", "order"].map(find);
const [command, address, choice, alone, code] = ["command", "address", "choice", "alone", "code"].map(find);
const [titles, learners, totals] = ["titles", "learners", "totals"].map(find);

const rows = new Rows();
let wait = FIRST_WAIT;
let isDue = false; // Whether the rows are drawn with the next picture.

connect();
setInterval(show, TICK);
order.addEventListener("change", show);
address.addEventListener("change", showCommand);

function connect() {
  const socket = new WebSocket("/ws/page");

  socket.addEventListener("message", ({ data }) => {
    const message = JSON.parse(data);
    if (!rows.apply(message)) return socket.close(4000, "an event is missing");

    if (message.type === "snapshot") {
      wait = FIRST_WAIT;
      state.value = "Live";
      state.className = "live";
      showCourse();
      showAddresses();
    }
    showSoon();
  });

  socket.addEventListener("close", ({ code, reason }) => {
    state.value = `Not connected (${code}${reason && `, ${reason}`}): this may be out of date.`;
    state.className = "";
    // Random, because a board that starts anew must not have all pages back in one moment.
    setTimeout(connect, wait * (0.5 + Math.random() / 2));
    wait = Math.min(2 * wait, LONGEST_WAIT);
  });
}

/** One column for each warm-up and exercise. */
function showCourse() {
  const columns = labels(rows.exercises);
  titles.replaceChildren(
    ...[...titles.children].slice(0, 3),
    ...columns.map(({ short, long, title }) => {
      const head = element("th", { scope: "col", title: `${long}: ${title}` });
      head.append(seen(short), spoken(long));
      return head;
    }),
  );
  totals.replaceChildren(
    totals.firstElementChild,
    ...columns.map(() => element("td", {})),
  );
}

function showAddresses() {
  const { addresses } = rows;
  const chosen = address.value;
  address.replaceChildren(...addresses.map((url) => new Option(url, url)));
  if (addresses.includes(chosen)) address.value = chosen;
  choice.hidden = addresses.length < 2;
  alone.hidden = addresses.some((url) => !/\/\/(127\.|\[::1\])/.test(url));
  showCommand();
}

function showCommand() {
  const url = address.value || location.origin;
  // No line ends between an option and its value.
  const part = (textContent) => element("span", { textContent });
  command.replaceChildren(
    part("cargo course watch"),
    " ",
    part(`--class ${url}`),
    " ",
    part("--name ana"),
  );
  code.hidden = !address.value || !alone.hidden;
  if (!code.hidden) code.src = `/qr.svg?url=${encodeURIComponent(url)}`;
}

/** Once for all messages that come before the next picture: a whole class may join at once. */
function showSoon() {
  if (isDue) return;
  isDue = true;
  requestAnimationFrame(() => {
    isDue = false;
    show();
  });
}

/** Everything that learners and time change. */
function show() {
  const all = rows.sorted(order.elements.order.value);
  document.documentElement.style.setProperty("--rows", Math.max(all.length, 5));
  learners.className = all.length > CROWDED ? "crowded" : "";
  showRows(all);
  showTotals(all);

  showHelp(all.filter((row) => row.help).map((row) => row.name));
}

/** Said by screen readers when it changes, so it has names and no minutes. */
function showHelp(names) {
  const more = names.length > NAMED ? ` and ${names.length - NAMED} more` : "";
  const listed = names.slice(0, NAMED);
  const text = names.length ? `May need help: ${listed.join(", ")}${more}` : "";
  if (help.textContent === text) return;

  const parts = listed.flatMap((name, i) => [i ? ", " : "May need help: ", nameOf(name)]);
  help.replaceChildren(...parts, more);
}

/** Each learner keeps their element, so that only what has changed is drawn. */
function showRows(all) {
  const before = new Map([...learners.children].map((row) => [row.dataset.name, row]));
  const columns = labels(rows.exercises);
  const wanted = all.map((row) => {
    const tr = before.get(row.name) ?? newRow(row.name);
    showRow(tr, row, columns);
    return tr;
  });
  const isSame = wanted.length === learners.children.length
    && wanted.every((tr, i) => tr === learners.children[i]);
  if (!isSame) learners.replaceChildren(...wanted);
}

function newRow(name) {
  const tr = element("tr", {});
  tr.dataset.name = name;
  const className = name.length > 10 ? "name long" : "name";
  const head = element("th", { scope: "row", className });
  head.append(nameOf(name));
  tr.append(head, element("td", { className: "time" }), element("td", { className: "step" }));
  return tr;
}

function showRow(tr, row, columns) {
  const [, when, step, ...cells] = tr.children;
  tr.className = row.away === null ? row.help : "away";

  fill(when, row.away === null ? (row.current ? time(row.seconds) : "") : `away ${row.away < 60 ? "" : time(row.away)}`);
  const at = rows.exercises.findIndex(({ name }) => name === row.current?.exercise);
  fill(step, at < 0 ? "" : `${columns[at].long}, ${sentence(row.current.step)}`);

  while (cells.length < columns.length) {
    const cell = element("td", {});
    tr.append(cell);
    cells.push(cell);
  }
  while (cells.length > columns.length) cells.pop().remove();
  rows.exercises.forEach(({ name }, i) => showCell(cells[i], row, name, i === at));
}

function showCell(cell, row, exercise, isCurrent) {
  const { passed = 0, steps = 0 } = row.exercises[exercise] ?? {};
  const kind = isSolved(row, exercise) ? "solved" : steps ? "begun" : "untouched";
  const className = isCurrent ? `${kind} current` : kind;
  const text = { solved: "✓", begun: `${passed}/${steps}`, untouched: "·" }[kind];
  if (cell.className === className && cell.firstChild?.textContent === text) return;

  cell.className = className;
  const words = { solved: "solved", begun: `${passed} of ${steps} steps`, untouched: "not begun" };
  cell.replaceChildren(seen(text), spoken(words[kind]));
}

/** By how many each exercise is solved, and how much that is of all there is. */
function showTotals(all) {
  const counts = rows.totals();
  counts.forEach((count, i) => {
    const cell = totals.children[i + 1];
    fill(cell, `${count}`);
    cell.style.setProperty("--share", all.length ? count / all.length : 0);
  });

  const sum = counts.reduce((sum, count) => sum + count, 0);
  const most = all.length * counts.length;
  const away = all.filter((row) => row.away !== null).length;
  solved.max = Math.max(most, 1);
  solved.value = sum;
  const people = `${all.length} ${all.length === 1 ? "learner" : "learners"}`;
  const text = all.length
    ? `${people}${away ? `, ${away} away` : ""}: ${sum} of ${most} solved`
    : "Nobody has joined yet.";
  fill(summary, text);
}

/** Names may be written from right to left, and must not turn what stands beside them. */
function nameOf(name) {
  return element("bdi", { textContent: name }); // Never innerHTML: strangers wrote this text.
}

function element(name, properties) {
  return Object.assign(document.createElement(name), properties);
}

function fill(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/** A sign for those who see it. */
function seen(text) {
  const span = element("span", { textContent: text });
  span.ariaHidden = "true";
  return span;
}

/** The words for it, for those who hear them. */
function spoken(text) {
  return element("span", { className: "spoken", textContent: text });
}
