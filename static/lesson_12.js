// Lesson 12, the browser's half: a client that is slow, and one that is not.
//
// A page cannot read slowly on purpose: the browser reads for it. But the browser stops
// when the script does not take what has come. So Ben's socket is in a worker, which has a
// thread of its own (lesson_12_worker.js) and can be busy while this page goes on.

import { explain } from "./close-codes.js";
import { make } from "./elements.js";
import { PEOPLE } from "./people.js";
import { login, signInAndChat } from "./sign-in.js";
import { nameSockets } from "./xray.js";

/** How many messages Ana sends. The buffers on the way to Ben hold some hundreds of them. */
const COUNT = 2000;

/** How many of them may be on their way at once, so that Ana is not too slow herself. */
const WINDOW = 50;

/** As long as a content may be: a number, and then characters of four bytes each. */
const FILLER = "\u{1F422}".repeat(1990);

const ROOM = "/ws/chat/busy";
const form = document.querySelector("#experiment");
const start = form.querySelector("button");
const progress = document.querySelector("#progress");
const list = document.querySelector("#ben");

signInAndChat(document.querySelector("#sign-in-here"), document.querySelector("#room"));

form.addEventListener("submit", async (event) => {
  event.preventDefault();

  start.disabled = true;
  list.replaceChildren();
  try {
    await run(form.elements.seconds.valueAsNumber);
  } catch ({ message }) {
    progress.value = message;
  }
  start.disabled = false;
});

/** Lets Ben be busy while Ana sends. Returns when he has received the last message. */
async function run(seconds) {
  progress.value = "Signing in …";
  const ana = await token("ana");
  const ben = await token("ben");
  const worker = new Worker("lesson_12_worker.js");
  const done = followBen(worker);
  const me = nameSockets("ben"); // The wire view calls the next sockets so.
  worker.postMessage({ path: ROOM, token: ben });
  await joined(worker);

  worker.postMessage({ seconds });
  nameSockets("ana");
  const socket = new WebSocket(ROOM, ["chat.v1", `bearer.${ana}`]);
  try {
    await sendAll(socket, seconds);
    await done;
  } finally {
    nameSockets(me);
    socket.close(1000);
    worker.terminate();
  }
}

/** A token, and no cookie: the page is both Ana and Ben. */
async function token(username) {
  if (!PEOPLE[username]) throw new Error("Only a debug build tells this page a password.");

  const reply = await login(username, PEOPLE[username], "omit");
  if (!reply.ok) throw new Error(await reply.text());

  return (await reply.json()).token;
}

/** Waits until Ben is in the room. */
function joined(worker) {
  return new Promise((resolve, reject) => {
    worker.addEventListener("message", ({ data: { joined, closed } }) => {
      if (joined) resolve();
      if (closed) reject(new Error(explain(closed)));
    });
  });
}

/** Sends all messages as Ana, each when an earlier one has come back. */
function sendAll(socket, seconds) {
  const begin = performance.now();
  let sent = 0;
  let received = 0;
  const sendNext = () => {
    sent += 1;
    const content = `${sent} ${FILLER}`;
    socket.send(JSON.stringify({ type: "chat", content }));
  };

  return new Promise((resolve, reject) => {
    socket.addEventListener("open", () => {
      for (let i = 0; i < WINDOW; i += 1) sendNext();
    });
    socket.addEventListener("message", ({ data }) => {
      if (JSON.parse(data).type !== "chat") return; // Ben left.

      received += 1;
      const time = ((performance.now() - begin) / 1000).toFixed(1);
      progress.value = `Ana has sent and received ${received} messages in ${time} s. Ben is busy for ${seconds} s.`;
      if (sent < COUNT) sendNext();
      if (received === COUNT) resolve();
    });
    socket.addEventListener("close", (event) => reject(new Error(explain(event))));
  });
}

/** Draws what comes for Ben: the numbers, the gaps, and how it ends. */
function followBen(worker) {
  let first = 1;
  let last = 0;
  let entry;

  function received(number) {
    if (number !== last + 1) {
      const range = `${last + 1} to ${number - 1}`;
      write("problem", `Not received: ${range} (${number - last - 1} messages)`);
      first = number;
      entry = undefined;
    }
    entry ??= write("received", "");
    last = number;
    entry.textContent = `Received: ${first} to ${last}`;
  }

  return new Promise((resolve) => {
    worker.addEventListener("message", ({ data: { number, missed, closed } }) => {
      if (number) received(number);
      if (missed) write("notice", `Received: “missed”, with the count ${missed}`);
      if (closed) write("problem", explain(closed));
      if (closed || last === COUNT) resolve();
    });
  });
}

function write(className, textContent) {
  const entry = make("li", { className, textContent });
  list.append(entry);
  return entry;
}
