// <ws-lab>: a transcript that can be replayed, line by line, against a server.
//
//   <ws-lab package="lesson_07_rooms"><pre><code>ana connects …</code></pre></ws-lab>
//
// It may be on a page of the book. Without a `server` attribute it connects to the
// reader's own server. Without this script, the text inside is shown as it is.

import { describeServer, whyNoAnswer } from "./lab-json.js";
import { ParseError, parse, replay } from "./transcript.js";

const DEFAULT_SERVER = "http://127.0.0.1:8000";

const FRESH =
  "Some transcripts need a server that has just been started, and no other clients.";

const STYLE = `
  :host { display: block; margin-block: 1rem; }
  ol { margin: 0 0 0.75rem; padding: 0; list-style: none;
    font: 0.85em/1.7 ui-monospace, monospace; }
  li { position: relative; min-height: 1.7em; padding-inline: 3.8em 0.5em;
    text-indent: -2em; white-space: pre-wrap; overflow-wrap: anywhere; }
  li > *, li::before { text-indent: 0; }
  li::before { position: absolute; inset-inline-start: 0.4em; }
  .true { background: light-dark(#e3f1e4, #1e3322); }
  .true::before { content: "✓"; content: "✓" / "true:"; }
  .false { background: light-dark(#fbe3dd, #46231c); }
  .false::before { content: "✗"; content: "✗" / "false:"; }
  small { display: block; font-size: 1em; font-weight: bold; }
  p { display: flex; flex-wrap: wrap; gap: 0.75rem; align-items: center; margin: 0; }
  button { min-height: 2.75rem; padding: 0.4em 1em; font: inherit; color: inherit;
    background: none; border: 1px solid; border-radius: 0.6rem; cursor: pointer; }
  output { flex: 1 1 12rem; }`;

class WsLab extends HTMLElement {
  #list = document.createElement("ol");
  #button = document.createElement("button");
  #output = document.createElement("output");
  #text = "";
  /** What can stop the replay that is under way, if there is one. */
  #running;

  /** How somebody is connected, if this page wants to know: see `replay`. */
  open;

  connectedCallback() {
    if (this.shadowRoot) return;

    const style = document.createElement("style");
    style.textContent = STYLE;
    const bar = document.createElement("p");
    bar.append(this.#button, this.#output);
    this.#button.type = "button";
    this.#button.addEventListener("click", () => {
      if (!this.#running) return this.replay();
      this.#stop();
      this.#show("Stopped.");
    });
    this.attachShadow({ mode: "open" }).append(style, this.#list, bar);

    this.text = (this.querySelector("code") ?? this).textContent.replace(/^\n/, "");
  }

  get server() {
    return this.getAttribute("server") ?? DEFAULT_SERVER;
  }

  /** The transcript. When it changes, no line has a verdict any more. */
  set text(text) {
    this.#stop(); // Its verdicts would be about another text.
    this.#text = text;
    this.#output.value = "";
    const lines = text.trimEnd().split("\n");
    this.#list.replaceChildren(
      ...lines.map((line) => {
        const item = document.createElement("li");
        // Never innerHTML: anybody can write a transcript. A long message breaks after a
        // comma where it can.
        for (const part of line.split(/(?<=,)(?=")/))
          item.append(part, document.createElement("wbr"));
        return item;
      }),
    );
  }

  /** Runs the transcript, and shows for each line whether it is true. */
  async replay() {
    this.text = this.#text; // It removes the old verdicts.
    this.#running = new AbortController();
    const { signal } = this.#running;
    this.#button.textContent = "Stop";
    this.#show("Replaying …");
    try {
      const sentence = await this.#run(signal);
      if (signal.aborted) return;
      this.#stop();
      this.#show(sentence);
    } catch (error) {
      if (!signal.aborted) throw error;
    }
  }

  /** Gives a sentence about how it ended. */
  async #run(signal) {
    let steps;
    try {
      steps = parse(this.#text);
    } catch (error) {
      if (!(error instanceof ParseError)) throw error;
      this.#mark(error.line, "false", error.message);
      return `This cannot be read: ${error.message}.`;
    }
    const { problem, doubt } = await this.#ask();
    if (problem) return problem;

    let last;
    const onStep = ({ line }, came) => {
      last = line;
      this.#mark(line, came ? "false" : "true", came && `What came instead: ${came}`);
    };
    const good = await replay(steps, this.server, onStep, this.open, signal);
    return good
      ? `All ${steps.length} lines are true.`
      : `Line ${last} is false. ${doubt || FRESH}`;
  }

  /** Ends the replay that is under way, if there is one. */
  #stop() {
    this.#running?.abort();
    this.#running = undefined;
    this.#button.textContent = "Replay";
  }

  /**
   * Asks who listens. A `problem` is what to do if it is not the right program. A `doubt` is
   * why a line may be false, though the program may be right.
   */
  async #ask() {
    const wanted = this.getAttribute("package");
    const start = wanted ? `Start one: cargo run -p ${wanted}` : "";
    const about = await describeServer(this.server);
    if (!about) {
      // Perhaps it is the reader's own program, or it does not know this page's address.
      const { answers, sentence } = await whyNoAnswer(this.server);
      if (answers) return { doubt: sentence };
      return { problem: `No server answers at ${this.server}. ${start}` };
    }
    const { package: running } = about;
    if (!wanted || running === wanted) return {};
    if (wanted === "exercises" && running === "solutions") return {};
    return { problem: `${running} listens there. Stop it. ${start}` };
  }

  #mark(line, verdict, words) {
    const item = this.#list.children[line - 1];
    item.className = verdict;
    if (words) {
      const note = document.createElement("small");
      note.textContent = words;
      item.append(note);
    }
    item.scrollIntoView({ block: "nearest" });
  }

  #show(sentence) {
    this.#output.value = sentence;
  }
}

customElements.define("ws-lab", WsLab);
