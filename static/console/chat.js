// What one person sees of their chats: frames go in, and the page asks for what changed.
// Everything shown comes from here; the logs follow the cursor rule (log.js).

import { Answers } from "./answers.js";
import { Conversations } from "./conversations.js";
import { Group } from "./group.js";
import { Logs } from "./logs.js";
import { Outbox } from "./outbox.js";
import { People } from "./people.js";
import { Refused } from "./rest.js";
import { Signs } from "./signs.js";
import { Socket } from "./socket.js";

const TYPING_AGAIN_MS = 3000;
// Refs of commands whose refusal changes nothing: one may just have been removed.
const HINTS = ["typing", "read"];

export class Chat {
  openId = null;
  state = "offline";
  detail = "";
  #typedAt = 0;
  #feedSeq;
  #reading = Promise.resolve();
  #rest;
  #page;

  // `page` offers: changed(), problem(text), trace(direction, text), ended(text).
  constructor(rest, page) {
    this.#rest = rest;
    this.#page = page;
    this.socket = new Socket({
      ticket: async () => (await rest.call("POST", "auth/ticket")).ticket,
      cursors: () => this.logs.cursors(),
      feedSeq: () => this.#feedSeq,
      receive: (frame) => this.#receive(frame),
      trace: (direction, text) => page.trace(direction, text),
      status: (state, detail) => this.#become(state, detail),
      failed: (error) => this.#goOnAfter(error),
    });
    this.outbox = new Outbox(
      (command) => this.state === "live" && this.socket.send(command),
      (message) => page.problem(`Not sent: ${message}`),
    );
    this.logs = new Logs(rest, {
      send: (command) => this.socket.send(command),
      isOpen: (id) => id === this.openId,
      news: (id, messages) => this.#takeNews(id, messages),
      changed: page.changed,
      problem: page.problem,
    });
    this.conversations = new Conversations(rest, {
      meet: (users) => this.people.meet(users),
      changed: page.changed,
      problem: page.problem,
    });
    this.people = new People(rest, page.changed);
    this.signs = new Signs(page.changed);
    this.group = new Group(rest, this.people, page.changed);
    this.answers = new Answers((command) => this.socket.ask(command), page.problem);
  }

  get user() {
    return this.#rest.user;
  }

  get open() {
    return this.conversations.get(this.openId);
  }

  titleOf({ peer, group }) {
    return peer ? this.people.nameOf(peer.id) : (group?.name ?? "");
  }

  // --- what the person does -----------------------------------------------------------

  // Add a contact: whether they are one now, or have been asked.
  async addContact(username) {
    const { user } = await this.#rest.call("POST", "contacts", { username });
    await this.#readLists();
    const isContact = this.people.contacts.some((contact) => contact.user.id === user.id);
    if (isContact) await this.openDirect(user.id);
    return isContact;
  }

  async accept(userId) {
    await this.#rest.call("POST", `contact-requests/incoming/${userId}/accept`);
    await this.#readLists();
    await this.openDirect(userId);
  }

  async openDirect(userId) {
    const found = await this.#rest.call("POST", "conversations/direct", { user_id: userId });
    this.conversations.keep(found);
    await this.show(found.id);
  }

  // Make a group of contacts: its id.
  async createGroup(name, description, memberIds) {
    const made = { name, description, member_ids: memberIds };
    const { conversation_id: id } = await this.#rest.call("POST", "groups", made);
    await this.conversations.read(id);
    return id;
  }

  // What an invitation leads to.
  preview(token) {
    return this.#rest.call("POST", "groups/preview", { token });
  }

  // Join by an invitation: the group's id, or null where somebody has to approve first.
  async join(token) {
    const { conversation_id: id, role } = await this.#rest.call("POST", "groups/join", { token });
    if (!role) return null;
    await this.conversations.read(id);
    return id;
  }

  async leave() {
    const id = this.openId;
    await this.group.leave();
    this.#forget(id);
    this.#page.changed();
  }

  // Report a message, {conversation_id, seq}, or a user, {user_id}, to the moderators.
  report(what, reason, comment) {
    return this.#rest.call("POST", "reports", { ...what, reason, comment });
  }

  async show(id) {
    this.openId = id;
    this.#page.changed();
    if (!this.logs.get(id).loaded) await this.logs.readPage(id);
    this.markRead();
  }

  async loadOlder() {
    const first = this.logs.get(this.openId).inOrder()[0]?.seq;
    if (first) await this.logs.readPage(this.openId, first);
  }

  say(text) {
    this.outbox.add(this.openId, text);
    this.#typedAt = 0;
    this.#page.changed();
  }

  edit({ conversation_id, seq }, text) {
    return this.socket.ask({ type: "message.edit", conversation_id, seq, text });
  }

  delete({ conversation_id, seq }) {
    return this.socket.ask({ type: "message.delete", conversation_id, seq });
  }

  // Tell the server that everything in the open conversation was seen.
  markRead() {
    const conversation = this.open;
    if (!conversation) return;
    const { cursor } = this.logs.get(this.openId);
    if (!cursor || conversation.read_seq >= cursor || document.hidden) return;
    if (this.state !== "live") return;
    const id = this.openId;
    this.socket.send({ type: "receipt.mark_read", ref: "read", conversation_id: id, seq: cursor });
    this.conversations.markRead(id, cursor);
    this.#page.changed();
  }

  // Tell the others that something is being typed into the open conversation.
  type() {
    if (this.state !== "live" || Date.now() - this.#typedAt < TYPING_AGAIN_MS) return;
    this.#typedAt = Date.now();
    this.socket.send({ type: "typing.start", ref: "typing", conversation_id: this.openId });
  }

  // --- the socket ---------------------------------------------------------------------

  #become(state, detail) {
    this.state = state;
    this.detail = detail;
    if (state === "live") {
      this.outbox.resume();
      this.answers.resumeAll();
    } else {
      this.people.forgetPresence();
    }
    this.#page.changed();
  }

  // Whether to try again after a ticket could not be had.
  #goOnAfter(error) {
    if (!(error instanceof Refused) || error.status !== 401) return true;
    this.#page.ended(error.message);
    return false;
  }

  #receive(frame) {
    this.#handlers[frame.type]?.(frame);
    this.#page.changed();
    this.markRead();
  }

  // By type of frame. What is not here is for the developer's eyes only.
  #handlers = {
    welcome: ({ feed_seq: feedSeq }) => {
      this.logs.forgetFetches();
      if (feedSeq !== this.#feedSeq) this.#follow(feedSeq);
    },
    "user.changed": ({ feed_seq: feedSeq }) => this.#follow(feedSeq),
    "message.created": ({ message }) => this.#takeMessage(message),
    "message.changed": ({ message }) => this.#takeMessage(message),
    skip: ({ conversation_id: id, seq }) => this.logs.take(id, seq, null),
    range: (frame) => this.logs.takeRange(frame),
    pong: ({ heads }) => this.logs.compareHeads(heads),
    "conversation.added": ({ conversation, cursor }) => {
      this.conversations.keep(conversation);
      this.logs.start(conversation.id, cursor);
    },
    "conversation.behind": ({ conversation_id: id }) => this.logs.start(id, null),
    "conversation.removed": ({ conversation_id: id }) => this.#lose(id),
    reset: ({ conversation_id: id }) => this.logs.reset(id),
    "receipt.updated": (frame) => this.#takeReceipts(frame),
    "typing.started": (frame) => this.signs.startTyping(frame),
    "typing.stopped": (frame) => this.signs.stopTyping(frame.conversation_id, frame.user_id),
    "presence.snapshot": (frame) => this.people.receive(frame),
    "presence.changed": (frame) => this.people.receive(frame),
    "bot.streamed": (frame) => {
      // The message may have been faster.
      const log = this.logs.get(frame.conversation_id);
      if (!log.hasReply(frame.question_seq, frame.bot_id)) this.answers.take(frame);
    },
    "bot.finished": (frame) => this.answers.finish(frame),
    reply: (frame) => this.outbox.answer(frame),
    error: (frame) => this.#takeError(frame),
  };

  #takeError(frame) {
    if (this.outbox.answer(frame) || HINTS.includes(frame.ref)) return;
    this.logs.forgetFetches();
    this.#page.problem(`${frame.code}: ${frame.message}`);
  }

  #takeMessage(message) {
    this.logs.take(message.conversation_id, message.changed_seq, message);
  }

  #takeNews(id, messages) {
    for (const message of messages) this.#noteAnswers(message);
    this.conversations.takeNews(id, messages, this.user.id);
  }

  #noteAnswers(message) {
    this.signs.stopTyping(message.conversation_id, message.sender_id);
    if (message.reply_to) this.answers.settle(message);
    const isNew = message.seq === message.changed_seq && message.sender_id === this.user.id;
    const peer = this.conversations.get(message.conversation_id)?.peer;
    if (isNew && peer?.bot) this.answers.expect(message.conversation_id, message.seq, peer.id);
  }

  #takeReceipts(frame) {
    this.signs.takeReceipts(frame);
    const own = frame.receipts?.find(({ user_id: userId }) => userId === this.user.id);
    if (own) this.conversations.markRead(frame.conversation_id, own.read_seq);
  }

  // --- REST ---------------------------------------------------------------------------

  #follow(feedSeq) {
    this.#attempt(
      this.#readLists().then(() => {
        this.#feedSeq = feedSeq;
      }),
    );
  }

  // One at a time, so that the answer kept is the newest.
  #readLists() {
    this.#reading = this.#reading.catch(() => {}).then(() => this.#readListsNow());
    return this.#reading;
  }

  async #readListsNow() {
    await Promise.all([this.conversations.readAll(), this.people.read()]);
    this.#page.changed();
  }

  // We were removed from it, or left elsewhere.
  #lose(id) {
    if (id === this.openId) this.#page.problem("You are not in this conversation any more.");
    this.#forget(id);
  }

  #forget(id) {
    this.conversations.remove(id);
    this.logs.remove(id);
    if (this.openId === id) this.openId = null;
  }

  #attempt(promise) {
    promise.catch((error) => this.#page.problem(error.message));
  }
}
