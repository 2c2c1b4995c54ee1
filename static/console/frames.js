// The pane of raw frames: what went over the socket, and a box to send any frame.

import { byId, make, showAtEnd } from "./view.js";

const FRAMES_MAX = 200;
const EXAMPLES = {
  ping: () => ({ type: "ping", ref: "1" }),
  "message.send": (conversation) => ({
    type: "message.send",
    ref: "1",
    conversation_id: conversation,
    client_id: `console-${Date.now()}`,
    text: "hello",
  }),
  "conversation.fetch": (conversation) => ({
    type: "conversation.fetch",
    ref: "1",
    conversation_id: conversation,
    after: 0,
    limit: 10,
  }),
  "receipt.mark_read": (conversation) => ({
    type: "receipt.mark_read",
    ref: "1",
    conversation_id: conversation,
    seq: 1,
  }),
  sync: () => ({ type: "sync", cursors: {}, done: true }),
};

function isPing(text) {
  const { type } = JSON.parse(text);
  return type === "ping" || type === "pong";
}

export class Frames {
  #shown = [];

  // `send(text)` says whether the socket took it; `conversation()` is the open one's id.
  constructor(send, conversation, problem) {
    const form = byId("raw");
    const { example, frame } = form.elements;
    example.append(make("option", { value: "", textContent: "…" }));
    for (const name of Object.keys(EXAMPLES)) {
      example.append(make("option", { value: name, textContent: name }));
    }
    example.addEventListener("change", () => {
      if (!example.value) return;
      frame.value = JSON.stringify(EXAMPLES[example.value](conversation() ?? "1"));
      example.value = "";
      frame.focus();
    });
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      if (!send(frame.value)) problem("Not connected.");
    });
  }

  add(direction, text) {
    // What somebody typed into the box need not be JSON.
    const isQuiet = direction === "received" || text.startsWith('{"type":"ping"');
    if (isQuiet && !byId("show-pings").checked && isPing(text)) return;
    const arrow = direction === "sent" ? "→" : "←";
    const label = make("span", { className: "arrow", textContent: arrow, title: direction });
    const moment = make("time", { textContent: new Date().toLocaleTimeString() });
    const body = make("code", { textContent: text });
    this.#shown.push(make("li", { className: direction }, label, " ", moment, " ", body));
    this.#shown = this.#shown.slice(-FRAMES_MAX);
    showAtEnd(byId("frames"), this.#shown);
  }

  forget() {
    this.#shown = [];
    showAtEnd(byId("frames"), []);
  }
}
