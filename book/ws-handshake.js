// <ws-handshake>: the handshake and the first frames of a connection to the reader's own
// server, as they were really sent.
//
//   <ws-handshake>What stands here without this script.</ws-handshake>
//
// A script sees nothing of a handshake. The server's X-ray does, and reports it to us.

import { make } from "../static/elements.js";
import { BOOK_ORIGINS, describeServer, whyNoAnswer } from "../static/lab-json.js";
import { detail } from "../static/wire-detail.js";
import { Rows } from "../static/wire-rows.js";
import { STYLE } from "../static/wire-style.js";
import { connecting, watchXray } from "../static/xray.js";

const START = "cargo run -p lesson_01_echo";

/** What we send, so that there is a frame to show. */
const WORDS = "Hello";

/** How long we wait for the rows of X-ray, in milliseconds. */
const TIMEOUT = 3_000;

/** What stands for a client in the path of an endpoint. We have no token. */
const CLIENT = { name: "ana", number: "7", token: "" };

/** The panel of the wire view, without its list. */
const OWN = `
  .view { display: block; height: auto; min-height: 0; background: none; }
  .panel { width: auto; padding: 0; overflow: visible; border: 0; }
  .panel > h2 { margin-block: 28px 4px; }
  p.bar { display: flex; flex-wrap: wrap; gap: 12px; align-items: center; margin: 0; }
  p.bar button { min-height: 44px; padding: 6px 16px; }
  output { flex: 1 1 12rem; }`;

class WsHandshake extends HTMLElement {
  #button = make("button", { type: "button" }, "Show the handshake of my server");
  #output = make("output");
  #panel = make("section", { className: "panel", ariaLabel: "The handshake" });

  connectedCallback() {
    if (this.shadowRoot) return;

    const bar = make("p", { className: "bar" }, this.#button, this.#output);
    const view = make("div", { className: "view" }, bar, this.#panel);
    this.#button.addEventListener("click", () => this.#show());
    this.attachShadow({ mode: "open" }).append(make("style", {}, STYLE + OWN), view);
  }

  /** On the page's own host: the cookie for X-ray belongs to a host, whatever its port. */
  get server() {
    return this.getAttribute("server") ?? `http://${location.hostname}:8000`;
  }

  async #show() {
    this.#button.disabled = true;
    this.#panel.replaceChildren();
    this.#output.value = "Connecting …";
    try {
      this.#output.value = await this.#handshake();
    } finally {
      this.#button.disabled = false;
    }
  }

  /** Is there no server, or does it not answer this page? Either way a browser says nothing. */
  async #noAnswer() {
    const { answers, sentence } = await whyNoAnswer(this.server);
    if (sentence) return sentence;
    return answers
      ? `A server answers at ${this.server}. Is it a program of the course, in a debug build? ${START}`
      : `No server of the course answers at ${this.server}. Start one: ${START}`;
  }

  /** Connects, shows what came over the wire, and gives a sentence about it. */
  async #handshake() {
    if (!["localhost", "127.0.0.1"].includes(location.hostname))
      return `This works at ${BOOK_ORIGINS[0]}, where \`mdbook serve book\` shows it.`;
    const about = await describeServer(this.server);
    if (!about) return this.#noAnswer();
    if (!about.xray)
      return `${about.package} listens there, without X-ray. That needs a debug build that listens on this computer alone: ${START}`;

    const path = about.path.replace(/\{(\w+)\}/g, (_, name) => CLIENT[name]);
    const label = `page-${crypto.getRandomValues(new Uint32Array(1))[0]}`;
    const rows = new Rows();
    const ours = [];
    const stop = watchXray({
      server: this.server,
      onRows: (all) =>
        all
          .map((raw) => rows.fromXray(raw))
          .filter((row) => row.about?.request?.raw.label === label)
          .forEach((row) => ours.push(row)),
    });
    try {
      const socket = await connecting(label, () => new WebSocket(this.server + path));
      const isOpen = socket.readyState === WebSocket.OPEN;
      if (isOpen) socket.send(WORDS);
      const isFrame = (from) => (row) => row.raw.kind === "frame" && row.from === from;
      const wanted = [
        ({ kind }) => kind === "request",
        ({ kind }) => kind === "response",
        ...(isOpen ? [isFrame("client"), isFrame("server")] : []),
      ];
      const found = () => wanted.map((isWanted) => ours.find(isWanted)).filter(Boolean);
      for (const end = Date.now() + TIMEOUT; found().length < wanted.length; await pause(20))
        if (Date.now() > end) break;
      if (isOpen) socket.close(1000);
      if (ours.length === 0) return "The server did not report our connection. Try again.";

      ours[0].about.client = "this page"; // It has a number, so that nobody else has it.
      this.#panel.replaceChildren(...found().flatMap(detail));
      return isOpen
        ? `${about.package} accepted the upgrade. We sent “${WORDS}”, and closed with 1000.`
        : `${about.package} rejected the upgrade, because we have no token. Lesson 01 wants none: ${START}`;
    } finally {
      stop();
    }
  }
}

const pause = (time) => new Promise((resolve) => setTimeout(resolve, time));

customElements.define("ws-handshake", WsHandshake);
