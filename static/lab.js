// The lab: three clients side by side, one log, and transcripts to replay.
//
// What is written in the fields is kept in the part of the address after "#", which is
// never sent to a server: it survives a reload, and a teacher can share it.

import { ABNORMAL_CLOSURE, explain } from "./close-codes.js";
import { write } from "./log.js";
import { askServer } from "./server.js";
import { Client, askStatus, signIn } from "./transcript.js";
import "./ws-lab.js";

const NAMES = ["ana", "ben", "cem"];

/** Longer than what any server of the course reads. */
const TOO_LONG = 70_000;
const FLOOD = 2_000;

/** How many messages of one second we log for each client. */
const SHOWN = 50;

/** What the lab says of a page that does not say where to connect. */
const NO_ENDPOINT =
  'The page of this server names no endpoint. Its <head> should have a line such as ' +
  '<meta name="websocket" content="/ws" />.';

/** Who may sign in, where a server asks. Its page shows this, too. */
const PASSWORDS = { ana: "ana-likes-tea", ben: "ben-likes-jam", cem: "cem-likes-figs" };

const clients = document.querySelector("#clients");
const template = document.querySelector("#client");
const form = document.querySelector("#transcript");
const player = document.querySelector("ws-lab");
player.setAttribute("server", location.origin);

const kept = new URLSearchParams(location.hash.slice(1));
const about = await ask();
const panels = NAMES.map(panel);
offerMessages();
offerTranscripts();
addEventListener("hashchange", () => location.reload()); // Somebody pasted a link.

async function ask() {
  try {
    return await (await fetch("/lab.json")).json();
  } catch {
    return { path: "/ws", messages: [], transcripts: [] }; // No server of the course.
  }
}

/** The fields and the buttons of one client. */
function panel(name, index) {
  const section = template.content.firstElementChild.cloneNode(true);
  const [connectButton, ...otherButtons] = section.querySelectorAll("button");
  const { path, text, code, reason } = Object.fromEntries(
    [...section.querySelectorAll("input")].map((field) => [field.name, field]),
  );
  const state = section.querySelector("output");
  const who = name[0].toUpperCase() + name.slice(1);
  let client;
  let count = 0;

  section.querySelector("h2").textContent = who;
  section.ariaLabel = who;
  const ready = about.path.replace("{name}", name).replace("{number}", index + 1);
  path.value = kept.get(`${name}.path`) ?? ready;
  text.value = kept.get(`${name}.text`) ?? about.messages[0] ?? "";
  clients.append(section);

  section.addEventListener("input", keep);
  section.addEventListener("submit", (event) => {
    event.preventDefault();
    if (!event.submitter.disabled) actions[event.target.name]();
  });

  async function connect() {
    connectButton.disabled = true;
    let where = path.value;
    if (where.includes("{token}")) {
      const { status, token } = await signIn(location.origin, name, PASSWORDS[name]);
      note(`signs in: ${status}`);
      where = where.replace("{token}", token);
    }
    note(`connects to ${path.value}`);
    client = new Client(`${location.origin}/${where.replace(/^\//, "")}`);
    listen(client.socket, where);
    show("Connecting …");
  }

  function listen(socket, where) {
    let opened = false;

    socket.addEventListener("open", () => {
      opened = true;
      show("Connected.");
      text.focus();
    });

    socket.addEventListener("message", ({ data }) => {
      record("received", `→ ${who}`, data);
    });

    socket.addEventListener("close", async (event) => {
      show(explain(event));
      const words = await explainFully(event, opened, where);
      note(words, event.code === 1000 ? "notice" : "problem");
      if (socket === client?.socket) show(words);
    });
  }

  function send(data) {
    client.send(data);
    record("sent", `${who} →`, data);
  }

  const actions = {
    connect,
    send: () => send(text.value),
    close() {
      try {
        client.socket.close(Number(code.value), reason.value);
        note(`closes with ${code.value} ${reason.value}`);
      } catch (error) {
        show(error.message); // A script may send 1000 and 3000 to 4999.
      }
    },
    binary: () => send(new Uint8Array([0x00, 0x7f, 0x80, 0xff]).buffer),
    garbage: () => send('{"type":"chat","content":'),
    long: () => send("x".repeat(TOO_LONG)),
    flood() {
      const data = text.value;
      for (let i = 0; i < FLOOD; i += 1) client.send(data);
      note(`sends ${FLOOD} messages at once`);
    },
    vanish() {
      client.vanish();
      note("closes the tab", "problem");
      client = undefined;
      show("Closed. The browser sent 1001, and did not wait for the server's Close.");
    },
  };
  for (const button of section.querySelectorAll("li button"))
    button.addEventListener("click", actions[button.name]);

  /** Logs a message, unless they come too fast for anybody to read. */
  function record(kind, direction, data) {
    if (count === 0) setTimeout(() => (count = 0), 1000);
    count += 1;
    if (count === SHOWN) note("more comes than can be shown: the rest is left out");
    if (count >= SHOWN) return;

    const isText = typeof data === "string";
    const size = isText ? new TextEncoder().encode(data).length : data.byteLength;
    const words = isText ? shorten(data) : hex(data);
    write(
      kind,
      words,
      `${now()} ${direction} ${size} bytes of ${isText ? "text" : "binary"}`,
    );
  }

  function note(words, kind = "notice") {
    write(kind, `${who}: ${words}`, now());
  }

  function show(sentence) {
    state.value = sentence;
    const connected = client?.socket.readyState === WebSocket.OPEN;
    const over = !client || client.socket.readyState === WebSocket.CLOSED;
    for (const button of otherButtons) button.disabled = !connected;
    connectButton.disabled = !over;
  }

  return { name, path, text };
}

/** Says why a connection has closed. The lab can even find the status of a rejection. */
async function explainFully(event, opened, path) {
  if (event.code !== ABNORMAL_CLOSURE) return explain(event);

  const status = opened ? "unknown" : await askStatus(location.origin, path);
  if (status !== "unknown") return `Rejected with status ${status}.`;
  const { sentence } = await askServer(opened);
  return `${explain(event)} ${sentence}`;
}

/** Keeps what is written in the fields as a part of the address. */
function keep() {
  const state = new URLSearchParams();
  for (const { name, path, text } of panels) {
    state.set(`${name}.path`, path.value);
    state.set(`${name}.text`, text.value);
  }
  const { pick, text } = form.elements;
  if (pick.value) state.set("transcript", pick.value);
  else if (text.value) state.set("text", text.value);
  history.replaceState(null, "", `#${state}`);
}

function offerMessages() {
  const options = about.messages.map((message) => new Option(message, message));
  document.querySelector("#messages").append(...options);
  document.querySelector("#package").textContent = about.package ?? "your server";
  if (!about.path) write("problem", NO_ENDPOINT);
}

function offerTranscripts() {
  const { pick, text } = form.elements;
  for (const { name } of about.transcripts)
    pick.append(new Option(name.replaceAll("_", " "), name));

  function load() {
    const picked = about.transcripts.find(({ name }) => name === pick.value);
    if (picked) text.value = picked.text;
    player.text = text.value;
  }

  pick.addEventListener("change", () => {
    load();
    keep();
  });
  text.addEventListener("input", () => {
    pick.value = "";
    load();
    keep();
  });
  form.addEventListener("submit", (event) => event.preventDefault());

  const first = about.transcripts[0]?.name ?? "";
  pick.value = kept.get("transcript") ?? (kept.has("text") ? "" : first);
  text.value = kept.get("text") ?? "";
  load();
}

const now = () => new Date().toLocaleTimeString([], { timeStyle: "medium" });

const shorten = (text) =>
  text.length > 1000 ? `${text.slice(0, 1000)} … (and more)` : text || "(empty)";

const hex = (buffer) =>
  [...new Uint8Array(buffer)]
    .slice(0, 64)
    .map((byte) => byte.toString(16).padStart(2, "0"))
    .join(" ");
