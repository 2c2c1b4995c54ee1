// The open conversation: its messages, and the box to write into it.

import { button, gravely, onClick, onSubmit } from "./attempt.js";
import { byId, Kept, make, nameTag, show, showAtEnd, timeOf, withLinks } from "./view.js";
import { membersOf, presenceOf, systemLine } from "./words.js";

const NONE = "No conversation open";

export class Thread {
  #page;
  #rows = new Kept();
  #openId = null;
  // The message that is being changed in the box.
  #edited = null;
  #timer = 0;

  constructor(page) {
    this.#page = page;
    const { text } = byId("composer").elements;
    onSubmit("composer", ({ text }) => this.#send(text));
    text.addEventListener("keydown", (event) => {
      if (event.key === "Escape") this.#edit(null);
      if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
      event.preventDefault();
      byId("composer").requestSubmit();
    });
    text.addEventListener("input", () => page.chat.type());
    byId("stop-editing").addEventListener("click", () => this.#edit(null));
    onClick("older", () => page.chat.loadOlder());
  }

  draw() {
    const { chat } = this.#page;
    const { open } = chat;
    if (this.#openId !== chat.openId) this.#change(chat.openId);
    byId("thread-title").textContent = open ? chat.titleOf(open) : NONE;
    byId("thread-subtitle").textContent = open ? this.#subtitle(open) : "";
    byId("show-group").hidden = !open?.group;
    byId("report-peer").hidden = !open?.peer || open.peer.deleted;
    this.#drawComposer(open);
    const log = open && chat.logs.get(open.id);
    byId("older").hidden = !log?.loaded || log.complete;
    byId("sign").textContent = open ? this.#sign(open) : "";
    showAtEnd(byId("messages"), open ? this.#lines(open, log) : []);
  }

  forget() {
    this.#change(null);
    this.#rows.forget();
    byId("composer").reset();
  }

  // Another conversation begins at its end.
  #change(openId) {
    this.#openId = openId;
    this.#edit(null);
    show(byId("messages"), []);
  }

  #subtitle({ peer, group }) {
    return group ? membersOf(group) : presenceOf(peer.id, this.#page.chat.people);
  }

  // --- writing ------------------------------------------------------------------------

  #drawComposer(open) {
    const form = byId("composer");
    const mayWrite = Boolean(open?.may_send);
    form.elements.text.disabled = byId("send").disabled = !mayWrite;
    byId("send").textContent = this.#edited ? "Save" : "Send";
    byId("editing").hidden = !this.#edited;
    byId("rule").textContent = open ? this.#rule(open) : "";
  }

  // Why one may not write, or not at once.
  #rule({ may_send: maySend, group }) {
    if (!group) return maySend ? "" : "You cannot write to each other.";
    if (group.closed) return "This group is closed.";
    if (!maySend) return "Only admins can write here.";
    const isSlow = group.slow_seconds > 0 && group.role === "member";
    return isSlow ? `Slow mode: one message every ${group.slow_seconds} seconds.` : "";
  }

  async #send(text) {
    if (!this.#edited) {
      this.#page.chat.say(text);
      return;
    }
    await this.#page.chat.edit(this.#edited, text);
    this.#edit(null);
  }

  #edit(message) {
    const { text } = byId("composer").elements;
    if (message || this.#edited) text.value = message?.text ?? "";
    this.#edited = message;
    this.#page.changed();
    if (message) text.focus();
  }

  // --- showing ------------------------------------------------------------------------

  #lines(open, log) {
    const { chat } = this.#page;
    const waiting = chat.outbox.waiting(open.id);
    clearTimeout(this.#timer);
    // Seconds are counted down.
    const isHeld = waiting.some((item) => item.againAt > Date.now());
    if (isHeld) this.#timer = setTimeout(this.#page.changed, 1000);
    return [
      ...log.inOrder().map((message) => this.#message(message, open)),
      ...chat.answers.of(open.id).map((answer) => this.#answer(answer, log)),
      ...waiting.map((item) => this.#waiting(item)),
    ];
  }

  // A row is made anew when something in it has changed.
  #message(message, open) {
    const { people, user } = this.#page.chat;
    const { id, changed_seq: version, system } = message;
    if (system) {
      const words = make("small", {}, ...systemLine(message, people, user.id));
      const key = `system ${id} ${words.textContent}`;
      return this.#rows.get(key, () => make("li", { className: "system" }, words));
    }
    const name = people.nameOf(message.sender_id);
    const key = `message ${id} ${version} ${name} ${open.may_send} ${open.group?.role}`;
    return this.#rows.get(key, () => {
      const text = message.deleted_at ? "Message deleted" : message.text;
      const own = message.sender_id === user.id;
      const row = this.#line(own ? "own" : "", name, this.#place(message), text);
      row.classList.toggle("deleted", Boolean(message.deleted_at));
      // A finger cannot hover: what it touches has the focus.
      row.tabIndex = -1;
      row.append(make("span", { className: "actions" }, ...this.#actions(message, open)));
      return row;
    });
  }

  #place({ seq, created_at: created, edited_at: edited, deleted_at: deleted }) {
    return `#${seq}, ${timeOf(created)}${edited && !deleted ? ", edited" : ""}`;
  }

  #actions(message, open) {
    if (message.deleted_at) return [];
    const { chat } = this.#page;
    const own = message.sender_id === chat.user.id;
    const mayDelete = own || ["owner", "admin"].includes(open.group?.role);
    const { conversation_id, seq } = message;
    return [
      own && open.may_send && button("Edit", () => this.#edit(message)),
      mayDelete && gravely("Delete", () => chat.delete(message)),
      !own && button("Report", () => this.#page.report({ conversation_id, seq })),
    ].filter(Boolean);
  }

  // What a bot has said so far. Whoever asked may stop it.
  #answer(answer, log) {
    const { chat } = this.#page;
    const { questionSeq, botId, text, over } = answer;
    const isMine = log.messages.get(questionSeq)?.sender_id === chat.user.id;
    const key = `answer ${answer.conversationId} ${questionSeq} ${botId} ${isMine}`;
    const row = this.#rows.get(key, () => {
      const made = this.#line("streaming", "", "", "");
      if (isMine) made.append(button("Stop", () => chat.answers.cancel(answer)));
      return made;
    });
    row.querySelector("small").textContent = `${chat.people.nameOf(botId)} is answering …`;
    row.querySelector("p").textContent = text;
    if (over) row.querySelector("button")?.remove();
    return row;
  }

  // What is not stored yet, and how long it has to wait.
  #waiting(item) {
    const row = this.#rows.get(`waiting ${item.clientId}`, () =>
      this.#line("own waiting", "", "", item.text),
    );
    const seconds = Math.ceil((item.againAt - Date.now()) / 1000);
    const state = seconds > 0 ? `${item.why} Sending in ${seconds} s.` : "sending …";
    row.querySelector("small").textContent = state;
    return row;
  }

  #line(className, name, place, text) {
    const head = make("small", {}, nameTag(name), ` ${place}`);
    return make("li", { className }, head, make("p", { dir: "auto" }, ...withLinks(text)));
  }

  // Who is typing, or how far the others have read.
  #sign({ id, head, group }) {
    const { chat } = this.#page;
    const typing = chat.signs.typing(id).map((userId) => chat.people.nameOf(userId));
    if (typing.length) return `${typing.join(", ")} ${typing.length > 1 ? "are" : "is"} typing …`;
    const { upTo, by } = chat.signs.read(id, chat.user.id, head);
    if (group) return by ? `Read by ${by}` : "";
    return upTo ? `Read up to #${upTo}` : "";
  }
}
