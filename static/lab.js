// The lab: three clients side by side, all that goes over their connections, and transcripts
// to replay.
//
// What is written in the fields is kept in the part of the address after "#", which is
// never sent to a server: it survives a reload, and a teacher can share it.

import { ABNORMAL_CLOSURE, explain } from "./close-codes.js";
import { takeFocus } from "./elements.js";
import { describeServer } from "./lab-json.js";
import { PEOPLE } from "./people.js";
import { askServer, refusal } from "./server.js";
import { Client, askRejection, signIn } from "./transcript.js";
import { capital } from "./wire-rows.js";
import "./wire-view.js";
import "./ws-lab.js";
import { connecting } from "./xray.js";

const NAMES = ["ana", "ben", "cem"];

/** Longer than what any server of the course reads. */
const TOO_LONG = 70_000;
const FLOOD = 2_000;

/** What the lab says of a page that does not say where to connect. */
const NO_ENDPOINT =
  'The page of this server names no endpoint. Its <head> should have a line such as ' +
  '<meta name="websocket" content="/ws" />.';

const clients = document.querySelector("#clients");
const template = document.querySelector("#client");
const replay = document.querySelector("#replay");
const form = document.querySelector("#transcript");
const player = document.querySelector("ws-lab");
const view = document.querySelector("wire-view");
player.setAttribute("server", location.origin);
player.open = open;

const kept = new URLSearchParams(location.hash.slice(1));
const about = (await describeServer()) ?? { path: "/ws", messages: [], transcripts: [] };
await view.connect();
const panels = NAMES.map(panel);
offerMessages();
offerTranscripts();
addEventListener("hashchange", () => location.reload()); // Somebody pasted a link.

/**
 * Makes a client, which calls the wire view's recorder, and waits until it is connected.
 *
 * One after the other: the name of a connection is in a cookie, which all of them share.
 */
async function open(name, create) {
  let client;
  await connecting(name, () => {
    client = create((page) => view.record(page, name));
    return client.socket;
  });
  return client;
}

/** The fields and the buttons of one client. */
function panel(name, index) {
  const section = template.content.firstElementChild.cloneNode(true);
  const [connectButton, ...otherButtons] = section.querySelectorAll("button");
  const { path, text, code, reason } = Object.fromEntries(
    [...section.querySelectorAll("input")].map((field) => [field.name, field]),
  );
  const state = section.querySelector("output");
  const who = capital(name);
  let client;

  section.querySelector("h2").textContent = who;
  section.ariaLabel = who;
  const ready = about.path.replace("{name}", name).replace("{number}", index + 1);
  path.value = kept.get(`${name}.path`) ?? ready;
  text.value = kept.get(`${name}.text`) ?? about.messages[0] ?? "";
  clients.append(section);
  if (!about.path) show(NO_ENDPOINT);

  section.addEventListener("input", keep);
  section.addEventListener("submit", (event) => {
    event.preventDefault();
    if (!event.submitter.disabled) actions[event.target.name]();
  });

  async function connect() {
    client = undefined;
    show("Connecting …");
    connectButton.disabled = true;
    let where = `/${path.value.replace(/^\//, "")}`;
    if (where.includes("{token}")) {
      const { status, token } = await signIn(location.origin, name, PEOPLE[name]);
      if (!token) return end(`Signing in was answered with status ${status}.`);
      where = where.replace("{token}", token);
    }
    try {
      await open(name, (onFrame) => {
        client = new Client(location.origin + where, onFrame);
        listen(client.socket, where);
        return client;
      });
    } catch (error) {
      end(error.message); // No WebSocket can have such an address.
    }
  }

  function listen(socket, where) {
    let opened = false;

    socket.addEventListener("open", () => {
      opened = true;
      show("Connected.");
      takeFocus(text, section);
    });

    socket.addEventListener("close", async (event) => {
      end(explain(event));
      const words = await explainFully(event, opened, where);
      if (socket === client?.socket) show(words);
    });
  }

  const actions = {
    connect,
    send: () => client.send(text.value),
    close() {
      try {
        client.socket.close(Number(code.value), reason.value);
      } catch (error) {
        show(error.message); // A script may send 1000 and 3000 to 4999.
      }
    },
    binary: () => client.send(new Uint8Array([0x00, 0x7f, 0x80, 0xff]).buffer),
    garbage: () => client.send('{"type":"chat","content":'),
    long: () => client.send("x".repeat(TOO_LONG)),
    flood() {
      for (let i = 0; i < FLOOD; i += 1) client.send(text.value);
    },
    vanish() {
      client.vanish();
      client = undefined;
      end("Closed. The browser sent 1001, and did not wait for the server's Close.");
    },
  };
  for (const button of section.querySelectorAll("li button"))
    button.addEventListener("click", actions[button.name]);

  /** Says why there is no connection. Unless somebody edits the address, Connect is next. */
  function end(sentence) {
    show(sentence);
    if (document.activeElement !== path) takeFocus(connectButton, section);
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

/** Says why a connection has closed. The lab can even find out why it was rejected. */
async function explainFully(event, opened, path) {
  if (event.code !== ABNORMAL_CLOSURE) return explain(event);

  const rejection = opened ? {} : await askRejection(location.origin, path);
  if (rejection.status)
    return `Rejected with status ${rejection.status}. ${refusal(rejection.body)}`.trim();
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
  replay.open ||= kept.has("transcript") || kept.has("text");
  load();
}
