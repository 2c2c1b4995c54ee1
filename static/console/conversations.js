// The list of conversations: as REST tells it, and moved on by what the logs bring.

// Several changes of a conversation are read together.
const READ_AGAIN_MS = 100;

export class Conversations {
  #byId = new Map();
  #stale = new Set();
  #rest;
  #client;

  // `client` offers: meet(users), changed(), problem(text).
  constructor(rest, client) {
    this.#rest = rest;
    this.#client = client;
  }

  get(id) {
    return this.#byId.get(id);
  }

  // All of them, the one with the newest message first.
  inOrder() {
    const newest = (one) => Date.parse(one.last_message?.created_at ?? 0);
    return [...this.#byId.values()].sort((one, other) => newest(other) - newest(one));
  }

  async readAll() {
    const listed = await this.#rest.all("conversations");
    const known = this.#byId;
    this.#byId = new Map();
    for (const one of listed) this.keep(one, known.get(one.id));
  }

  async read(id) {
    this.keep(await this.#rest.call("GET", `conversations/${id}`));
    this.#client.changed();
  }

  // Keep a conversation as it was told, but for the news that came while that was on its way.
  keep(told, known = this.#byId.get(told.id)) {
    const { head, unread, last_message } = known?.head > told.head ? known : told;
    this.#byId.set(told.id, { ...told, head, unread, last_message });
    this.#client.meet([told.peer]);
  }

  remove(id) {
    this.#byId.delete(id);
    this.#stale.delete(id);
  }

  // Take changes that the log of a conversation brought, unless a list knew them already.
  takeNews(id, messages, ownId) {
    const conversation = this.#byId.get(id);
    if (!conversation) return;
    const { head } = conversation;
    for (const message of messages.filter((one) => one.changed_seq > head)) {
      conversation.head = message.changed_seq;
      if (message.seq >= (conversation.last_message?.seq ?? 0)) conversation.last_message = message;
      if (message.kind === "system") this.#readSoon(id);
      else if (message.seq > head && message.sender_id !== ownId) conversation.unread += 1;
    }
  }

  // Everything up to here was read, here or on another of one's devices.
  markRead(id, seq) {
    const conversation = this.#byId.get(id);
    if (!conversation || seq <= conversation.read_seq) return;
    conversation.read_seq = seq;
    if (seq >= conversation.head) conversation.unread = 0;
  }

  // Who is in a group, how it is called, who may write: what a system message changed, REST
  // tells best.
  #readSoon(id) {
    if (this.#stale.size === 0) setTimeout(() => this.#readStale(), READ_AGAIN_MS);
    this.#stale.add(id);
  }

  #readStale() {
    const ids = [...this.#stale];
    this.#stale.clear();
    for (const id of ids) {
      this.read(id).catch((error) => {
        // One we are not in any more is taken off the list by the socket.
        if (error.code !== "not_found") this.#client.problem(error.message);
      });
    }
  }
}
