// Messages that were not answered yet. Each keeps its client_id however often it is sent, so
// that a repeat is never a second message. One per conversation is under way at a time, which
// keeps their order whatever happens.

const RETRY_SECONDS = 1;

// crypto.randomUUID is missing where a server is tried without TLS from another machine.
function newClientId() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

export class Outbox {
  // By conversation id, oldest first: {clientId, text, underWay, againAt, why}.
  #queues = new Map();
  #send;
  #refused;

  // `send(command)` says whether the socket took it; `refused(message)` is told what the
  // server will never store.
  constructor(send, refused) {
    this.#send = send;
    this.#refused = refused;
  }

  add(conversationId, text) {
    const queue = this.#queues.get(conversationId) ?? [];
    this.#queues.set(conversationId, queue);
    queue.push({ clientId: newClientId(), text, underWay: false, againAt: 0, why: "" });
    this.#next(conversationId);
  }

  waiting(conversationId) {
    return this.#queues.get(conversationId) ?? [];
  }

  // The socket works (again): what was under way on the old one has an unknown outcome.
  resume() {
    for (const [conversationId, queue] of this.#queues) {
      for (const item of queue) item.underWay = false;
      this.#next(conversationId);
    }
  }

  // Take a reply or error; false if it answers something else.
  answer(frame) {
    for (const [conversationId, queue] of this.#queues) {
      const item = queue[0];
      if (!item?.underWay || item.clientId !== frame.ref) continue;
      if (frame.type === "error" && frame.retry) {
        const seconds = frame.retry_after ?? RETRY_SECONDS;
        Object.assign(item, { underWay: false, againAt: Date.now() + seconds * 1000 });
        item.why = frame.message;
        setTimeout(() => this.#next(conversationId), seconds * 1000);
        return true;
      }
      queue.shift();
      if (frame.type === "error") this.#refused(frame.message);
      this.#next(conversationId);
      return true;
    }
    return false;
  }

  #next(conversationId) {
    const item = this.#queues.get(conversationId)?.[0];
    if (!item || item.underWay) return;
    item.underWay = this.#send({
      type: "message.send",
      ref: item.clientId,
      conversation_id: conversationId,
      client_id: item.clientId,
      text: item.text,
    });
  }
}
