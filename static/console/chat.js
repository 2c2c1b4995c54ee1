// What one person sees of their chats: frames go in, and the page asks for what changed.
// Everything shown comes from here; the logs follow the cursor rule (log.js).

import { Log } from "./log.js";
import { Outbox } from "./outbox.js";
import { Refused } from "./rest.js";
import { Socket } from "./socket.js";

const PAGE = 50;
const TYPING_AGAIN_MS = 3000;

export class Chat {
  // Conversations by id as REST and the socket describe them, and their logs.
  conversations = new Map();
  logs = new Map();
  contacts = [];
  requests = [];
  openId = null;
  state = "offline";
  detail = "";
  // By conversation: who is typing until when, and how far somebody else has read.
  #typists = new Map();
  #readBy = new Map();
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
      cursors: () => this.#cursors(),
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
  }

  get user() {
    return this.#rest.user;
  }

  nameOf(userId) {
    if (userId === this.user.id) return this.user.username;
    const peers = [...this.conversations.values()].map((conversation) => conversation.peer);
    const known = [...peers, ...this.contacts.map((contact) => contact.user)];
    const user = known.find((user) => user?.id === userId);
    return user?.deleted ? "Deleted account" : (user?.username ?? userId);
  }

  // --- what the person does -----------------------------------------------------------

  async addContact(username) {
    const { user } = await this.#rest.call("POST", "contacts", { username });
    await this.#readLists();
    if (this.contacts.some((contact) => contact.user.id === user.id)) {
      await this.openDirect(user.id);
    } else {
      this.#page.problem(`${user.username} has been asked.`);
    }
  }

  async accept(userId) {
    await this.#rest.call("POST", `contact-requests/incoming/${userId}/accept`);
    await this.#readLists();
    await this.openDirect(userId);
  }

  async openDirect(userId) {
    const found = await this.#rest.call("POST", "conversations/direct", { user_id: userId });
    this.conversations.set(found.id, found);
    await this.open(found.id);
  }

  async open(id) {
    this.openId = id;
    this.#page.changed();
    if (!this.#log(id).loaded) await this.#readPage(id);
    this.markRead();
  }

  async loadOlder() {
    const log = this.#log(this.openId);
    const first = log.inOrder()[0]?.seq;
    if (first) await this.#readPage(this.openId, first);
  }

  say(text) {
    this.outbox.add(this.openId, text);
    this.#typedAt = 0;
    this.#page.changed();
  }

  // Tell the server that everything in the open conversation was seen.
  markRead() {
    const conversation = this.conversations.get(this.openId);
    const cursor = this.logs.get(this.openId)?.cursor;
    if (!conversation || !cursor || conversation.read_seq >= cursor || document.hidden) return;
    if (this.state !== "live") return;
    this.socket.send({ type: "receipt.mark_read", conversation_id: this.openId, seq: cursor });
    conversation.read_seq = cursor;
    conversation.unread = 0;
    this.#page.changed();
  }

  // Tell the others that something is being typed into the open conversation.
  type() {
    if (this.state !== "live" || Date.now() - this.#typedAt < TYPING_AGAIN_MS) return;
    this.#typedAt = Date.now();
    this.socket.send({ type: "typing.start", ref: "typing", conversation_id: this.openId });
  }

  // What there is to say of the open conversation beside its messages.
  sign() {
    const typist = this.#typists.get(this.openId);
    if (typist?.until > Date.now()) return `${this.nameOf(typist.userId)} is typing …`;
    const seq = this.#readBy.get(this.openId);
    return seq ? `Read up to #${seq}` : "";
  }

  // --- the socket ---------------------------------------------------------------------

  #become(state, detail) {
    this.state = state;
    this.detail = detail;
    if (state === "live") this.outbox.resume();
    this.#page.changed();
  }

  // Whether to try again after a ticket could not be had.
  #goOnAfter(error) {
    if (!(error instanceof Refused) || error.status !== 401) return true;
    this.#page.ended(error.message);
    return false;
  }

  #cursors() {
    const known = [...this.logs].filter(([, log]) => log.cursor !== null);
    return Object.fromEntries(known.map(([id, log]) => [id, log.cursor]));
  }

  #receive(frame) {
    switch (frame.type) {
      case "welcome":
        for (const log of this.logs.values()) log.fetching = false;
        if (frame.feed_seq !== this.#feedSeq) this.#follow(frame.feed_seq);
        break;
      case "user.changed":
        this.#follow(frame.feed_seq);
        break;
      case "message.created":
      case "message.changed":
        this.#take(frame.message.conversation_id, frame.message.changed_seq, frame.message);
        break;
      case "skip":
        this.#take(frame.conversation_id, frame.seq, null);
        break;
      case "range":
        if (!this.#log(frame.conversation_id).takeRange(frame)) this.#fetch(frame.conversation_id);
        break;
      case "receipt.updated":
        this.#takeReceipts(frame.conversation_id, frame.receipts ?? []);
        break;
      case "typing.started":
        this.#typists.set(frame.conversation_id, {
          userId: frame.user_id,
          until: Date.now() + frame.expires_in * 1000,
        });
        setTimeout(() => this.#page.changed(), frame.expires_in * 1000);
        break;
      case "typing.stopped":
        this.#typists.delete(frame.conversation_id);
        break;
      case "pong":
        this.#compareHeads(frame.heads);
        break;
      case "conversation.added":
        this.conversations.set(frame.conversation.id, frame.conversation);
        this.#startAgain(frame.conversation.id, frame.cursor);
        break;
      case "conversation.behind":
        this.#startAgain(frame.conversation_id, null);
        break;
      case "conversation.removed":
        this.conversations.delete(frame.conversation_id);
        this.logs.delete(frame.conversation_id);
        if (this.openId === frame.conversation_id) this.openId = null;
        break;
      case "reset":
        this.#reset(frame.conversation_id);
        break;
      case "reply":
        this.outbox.answer(frame);
        break;
      case "error":
        this.#takeError(frame);
        break;
    }
    this.#page.changed();
    this.markRead();
  }

  #takeError(frame) {
    if (this.outbox.answer(frame) || frame.ref === "typing") return;
    for (const log of this.logs.values()) log.fetching = false;
    this.#page.problem(`${frame.code}: ${frame.message}`);
  }

  #takeReceipts(id, receipts) {
    const conversation = this.conversations.get(id);
    for (const { user_id: userId, read_seq: seq } of receipts) {
      if (userId !== this.user.id) {
        this.#readBy.set(id, Math.max(seq ?? 0, this.#readBy.get(id) ?? 0));
      } else if (conversation && seq > conversation.read_seq) {
        // Another of one's devices has read.
        conversation.read_seq = seq;
        if (seq >= (this.logs.get(id)?.cursor ?? 0)) conversation.unread = 0;
      }
    }
  }

  #take(id, position, message) {
    const log = this.#log(id);
    const isNews = log.cursor !== null && position > log.cursor;
    if (!log.take(position, message)) {
      this.#fetch(id);
      return;
    }
    const conversation = this.conversations.get(id);
    if (!isNews || !message || !conversation) return;
    if (message.seq >= (conversation.last_message?.seq ?? 0)) conversation.last_message = message;
    const isNewText = message.seq === position && message.kind === "text";
    if (isNewText && message.sender_id !== this.user.id) conversation.unread += 1;
  }

  // Ask for what is missing after the cursor; where there is none, find one.
  #fetch(id) {
    const log = this.#log(id);
    if (log.fetching) return;
    if (log.cursor === null) {
      this.#attempt(this.#readPage(id));
      return;
    }
    log.fetching = this.socket.send({
      type: "conversation.fetch",
      conversation_id: id,
      after: log.cursor,
    });
  }

  #compareHeads(heads) {
    for (const [id, head] of Object.entries(heads)) {
      const cursor = this.#log(id).cursor;
      if (cursor === null || cursor < head) this.#fetch(id);
    }
  }

  #reset(id) {
    if (id) {
      this.#startAgain(id, null);
      return;
    }
    // The server's log is another one now. It goes on to announce every conversation.
    for (const log of this.logs.values()) log.drop();
  }

  #startAgain(id, cursor) {
    const log = this.#log(id);
    log.drop();
    log.cursor = cursor;
    if (cursor === null || id === this.openId) this.#attempt(this.#readPage(id));
  }

  // --- REST ---------------------------------------------------------------------------

  #log(id) {
    if (!this.logs.has(id)) this.logs.set(id, new Log(null));
    return this.logs.get(id);
  }

  async #readPage(id, before) {
    const query = new URLSearchParams({ limit: PAGE, ...(before && { before }) });
    const { results, head } = await this.#rest.call("GET", `conversations/${id}/messages?${query}`);
    const log = this.#log(id);
    log.takePage(results);
    log.loaded = true;
    log.complete = results.length < PAGE;
    if (log.cursor === null) {
      log.cursor = head;
      // What happened while the page was on its way was ignored.
      this.#fetch(id);
    }
    this.#page.changed();
    this.markRead();
  }

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
    const [contacts, requests, conversations] = await Promise.all([
      this.#rest.all("contacts"),
      this.#rest.all("contact-requests/incoming"),
      this.#rest.all("conversations"),
    ]);
    this.contacts = contacts;
    this.requests = requests;
    this.conversations = new Map(conversations.map((one) => [one.id, this.#withNews(one)]));
    this.#page.changed();
  }

  // A conversation as REST has it, except for what the socket told while that was on its way.
  #withNews(listed) {
    const known = this.conversations.get(listed.id);
    if (!known || (this.logs.get(listed.id)?.cursor ?? 0) <= listed.head) return listed;
    return { ...listed, unread: known.unread, last_message: known.last_message };
  }

  #attempt(promise) {
    promise.catch((error) => this.#page.problem(error.message));
  }
}
