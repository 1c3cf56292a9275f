// The lab: three clients side by side, one log, and transcripts to replay.
//
// What is written in the fields is kept in the part of the address after "#", which
// never leaves the browser: it survives a reload, and a teacher can hand it out.

import { explain } from "./closing.js";
import { write } from "./log.js";
import { Client, askStatus, signIn } from "./transcript.js";
import "./ws-lab.js";

const NAMES = ["ana", "ben", "cem"];

/** Longer than what any server of the course reads. */
const TOO_LONG = 70_000;
const FLOOD = 2_000;

/** How many messages of one second we write down for each client. */
const SHOWN = 50;

/** Who may sign in, where a server asks. Its page shows this, too. */
const PASSWORDS = { ana: "ana-likes-tea", ben: "ben-likes-jam", cem: "cem-likes-figs" };

const clients = document.querySelector("#clients");
const template = document.querySelector("#client");
const story = document.querySelector("#story");
const player = document.querySelector("ws-lab");
player.setAttribute("server", location.origin);

const kept = new URLSearchParams(location.hash.slice(1));
const about = await ask();
const panels = NAMES.map(panel);
offerMessages();
offerStories();
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
  const [connect, ...talk] = section.querySelectorAll("button");
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
    if (!event.submitter.disabled) does[event.target.name]();
  });

  async function enter() {
    connect.disabled = true;
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
      record("heard", `→ ${who}`, data);
    });

    socket.addEventListener("close", async (event) => {
      const status = opened || (await askStatus(location.origin, where));
      const words =
        status > 0 && !opened ? `Refused with status ${status}.` : explain(event);
      note(words, event.code === 1000 ? "notice" : "problem");
      show(words);
    });
  }

  function send(data) {
    client.send(data);
    record("said", `${who} →`, data);
  }

  const does = {
    enter,
    say: () => send(text.value),
    leave() {
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
      note("leaves without a word", "problem");
      client = undefined;
      show("Gone. The browser told the server 1001, and waited for no answer.");
    },
  };
  for (const button of section.querySelectorAll("li button"))
    button.addEventListener("click", does[button.name]);

  /** Writes a message down, unless they come too fast for anybody to read. */
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
    for (const button of talk) button.disabled = !connected;
    connect.disabled = !over;
  }

  return { name, path, text };
}

/** Keeps what is written in the address, if it differs from what stood there. */
function keep() {
  const state = new URLSearchParams();
  for (const { name, path, text } of panels) {
    state.set(`${name}.path`, path.value);
    state.set(`${name}.text`, text.value);
  }
  const { pick, text } = story.elements;
  if (pick.value) state.set("story", pick.value);
  else if (text.value) state.set("text", text.value);
  history.replaceState(null, "", `#${state}`);
}

function offerMessages() {
  const options = about.messages.map((message) => new Option(message, message));
  document.querySelector("#messages").append(...options);
  document.querySelector("#package").textContent = about.package ?? "your server";
}

function offerStories() {
  const { pick, text } = story.elements;
  for (const { name } of about.transcripts)
    pick.append(new Option(name.replaceAll("_", " "), name));

  function play() {
    const picked = about.transcripts.find(({ name }) => name === pick.value);
    if (picked) text.value = picked.text;
    player.text = text.value;
  }

  pick.addEventListener("change", () => {
    play();
    keep();
  });
  text.addEventListener("input", () => {
    pick.value = "";
    play();
    keep();
  });
  story.addEventListener("submit", (event) => event.preventDefault());

  const first = about.transcripts[0]?.name ?? "";
  pick.value = kept.get("story") ?? (kept.has("text") ? "" : first);
  text.value = kept.get("text") ?? "";
  play();
}

const now = () => new Date().toLocaleTimeString([], { timeStyle: "medium" });

const shorten = (text) =>
  text.length > 1000 ? `${text.slice(0, 1000)} … (and more)` : text || "(empty)";

const hex = (buffer) =>
  [...new Uint8Array(buffer)]
    .slice(0, 64)
    .map((byte) => byte.toString(16).padStart(2, "0"))
    .join(" ");
