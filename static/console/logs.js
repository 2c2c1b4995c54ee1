// The logs of all conversations, kept complete: what a frame does not bring is asked for.

import { Log } from "./log.js";

const PAGE = 50;

export class Logs {
  #logs = new Map();
  #rest;
  #client;

  // `client` offers: send(frame) → taken?, isOpen(id), news(id, messages) for changes that are
  // new to this client, in their order, changed(), problem(text).
  constructor(rest, client) {
    this.#rest = rest;
    this.#client = client;
  }

  get(id) {
    if (!this.#logs.has(id)) this.#logs.set(id, new Log(null));
    return this.#logs.get(id);
  }

  // What the server is told when the socket is new.
  cursors() {
    const known = [...this.#logs].filter(([, log]) => log.cursor !== null);
    return Object.fromEntries(known.map(([id, log]) => [id, log.cursor]));
  }

  // What was asked for over a socket that is gone, or refused, does not come any more.
  forgetFetches() {
    for (const log of this.#logs.values()) log.fetching = false;
  }

  // Take a change at a position; a skip has no message.
  take(id, position, message) {
    const log = this.get(id);
    const isNews = log.cursor !== null && position > log.cursor;
    if (!log.take(position, message)) this.#fetch(id);
    else if (isNews && message) this.#client.news(id, [message]);
  }

  takeRange(range) {
    const id = range.conversation_id;
    const { cursor } = this.get(id);
    const isComplete = this.get(id).takeRange(range);
    const news = range.changes.filter((message) => cursor !== null && message.changed_seq > cursor);
    if (news.length) this.#client.news(id, news);
    if (!isComplete) this.#fetch(id);
  }

  compareHeads(heads) {
    for (const [id, head] of Object.entries(heads)) {
      const { cursor } = this.get(id);
      if (cursor === null || cursor < head) this.#fetch(id);
    }
  }

  // Begin at this cursor, or where the newest page ends if it is null.
  start(id, cursor) {
    const log = this.get(id);
    log.drop();
    log.cursor = cursor;
    if (cursor === null || this.#client.isOpen(id)) this.#attempt(this.readPage(id));
  }

  // This log, or without an id every one, is another one now. In that case the server goes on
  // to announce every conversation.
  reset(id) {
    if (id) this.start(id, null);
    else for (const log of this.#logs.values()) log.drop();
  }

  remove(id) {
    this.#logs.delete(id);
  }

  // Read a page of history: the newest, or the one before a place.
  async readPage(id, before) {
    const query = new URLSearchParams({ limit: PAGE, ...(before && { before }) });
    const { results, head } = await this.#rest.call("GET", `conversations/${id}/messages?${query}`);
    const log = this.get(id);
    log.takePage(results);
    log.loaded = true;
    log.complete = results.length < PAGE;
    if (log.cursor === null) {
      log.cursor = head;
      // What happened while the page was on its way was ignored.
      this.#fetch(id);
    }
    this.#client.changed();
  }

  // Ask for what is missing after the cursor; where there is none, find one.
  #fetch(id) {
    const log = this.get(id);
    if (log.fetching) return;
    if (log.cursor === null) {
      this.#attempt(this.readPage(id));
      return;
    }
    log.fetching = this.#client.send({
      type: "conversation.fetch",
      conversation_id: id,
      after: log.cursor,
    });
  }

  #attempt(promise) {
    promise.catch((error) => this.#client.problem(error.message));
  }
}
