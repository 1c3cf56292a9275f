// Lesson 21, the browser's half: the few numbers that matter, as they change.
//
// Once a second the server sends what it has counted since its start, over a socket of its
// own. Rates and percentiles are made here, out of the difference between two messages. This
// is also what Prometheus does.

import { make } from "./elements.js";
import { signInAndChat } from "./sign-in.js";

/** How many values a curve has: one for each second of the last minute. */
const LENGTH = 60;

const panel = document.querySelector("#metrics");
const state = document.querySelector("#metrics-state");
const body = document.querySelector("#metrics tbody");

/** What is shown: its name, its unit, and how it is made of two messages. */
const ROWS = [
  ["Connections", "", (now) => now.chat_connections],
  ["Chats per second", "", rate('chat_messages_total{kind="chat"}')],
  ["Deliveries per second", "", rate("chat_deliveries_total")],
  ["99 of 100 broadcasts within", " ms", percentile("chat_broadcast_seconds", 0.99)],
  ["Lag of the runtime", " ms", (now) => 1000 * now.chat_runtime_recent_lag_seconds],
];

let socket;
let before; // The message before this one.

signInAndChat(document.querySelector("#sign-in-here"), document.querySelector("#room"), {
  // Once the chat is there: then the cookie is valid, and the server answers.
  onConnecting: (chat) => chat.addEventListener("open", open, { once: true }),
  onLeft: close,
});

/** Opens the socket of the metrics, in place of the one before. */
function open() {
  close();
  panel.hidden = false;
  body.replaceChildren(...ROWS.map(newRow));
  state.value = "Connecting …";
  socket = new WebSocket("/ws/metrics");

  socket.addEventListener("open", () => {
    state.value = "Live: a message each second.";
  });
  socket.addEventListener("message", ({ data }) => {
    draw({ ...JSON.parse(data).samples, time: performance.now() / 1000 });
  });
  socket.addEventListener("close", ({ target, reason }) => {
    if (target !== socket) return; // We have closed it ourselves.
    state.value = reason ? `Not live: ${reason}.` : "Not live.";
  });
}

function close() {
  const old = socket;
  socket = before = undefined;
  old?.close();
  panel.hidden = true;
}

function newRow([name]) {
  const curve = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  curve.setAttribute("viewBox", `0 0 ${LENGTH} 20`);
  curve.setAttribute("preserveAspectRatio", "none");
  curve.setAttribute("aria-hidden", "true"); // The number says it in words.
  curve.append(document.createElementNS(curve.namespaceURI, "polyline"));
  const head = make("th", { scope: "row", textContent: name });
  const row = make("tr", {}, head, make("td", {}, curve), make("td", {}));
  row.values = [];
  return row;
}

/** Draws what has come, if there is something to compare it with. */
function draw(now) {
  if (before) {
    ROWS.forEach(([, unit, value], index) => {
      add(body.rows[index], value(now, before), unit);
    });
  }
  before = now;
}

function add(row, value, unit) {
  row.cells[2].textContent = Number.isNaN(value) ? "–" : `${rounded(value)}${unit}`;
  row.values = [...row.values, value || 0].slice(-LENGTH);

  const highest = Math.max(...row.values, Number.MIN_VALUE);
  const points = row.values.map((each, x) => `${x},${19 - (18 * each) / highest}`);
  row.querySelector("polyline").setAttribute("points", points.join(" "));
}

function rounded(value) {
  return value.toLocaleString("en", { maximumSignificantDigits: value < 100 ? 2 : 4 });
}

/** How much a counter grows in a second: in Prometheus, this is rate(…). */
function rate(name) {
  return (now, before) => (now[name] - before[name]) / (now.time - before.time);
}

/**
 * Within how many milliseconds such a part of what came between two messages was done: in
 * Prometheus, this is histogram_quantile(…). NaN if nothing came.
 *
 * Only the limits of the buckets are known, so within one we guess that all are spread evenly.
 */
function percentile(name, part) {
  return (now, before) => {
    const wanted = part * (now[`${name}_count`] - before[`${name}_count`]);
    let [lower, below] = [0, 0];
    for (const [limit, key] of bucketsOf(name, now)) {
      const upTo = now[key] - before[key]; // Each bucket has those of the smaller ones, too.
      if (upTo >= wanted && wanted > 0) {
        // Above the last limit, nobody knows how long it took.
        const upper = Number.isFinite(limit) ? limit : lower;
        return 1000 * (lower + ((upper - lower) * (wanted - below)) / (upTo - below));
      }
      [lower, below] = [limit, upTo];
    }
    return NaN;
  };
}

/** The buckets of a histogram: their limits and their names, the smallest first. */
function bucketsOf(name, samples) {
  return Object.keys(samples)
    .filter((key) => key.startsWith(`${name}_bucket`))
    .map((key) => [Number(/le="(.*)"/.exec(key)[1].replace("+Inf", "Infinity")), key])
    .sort(([one], [other]) => one - other);
}
