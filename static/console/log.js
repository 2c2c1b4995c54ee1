// One conversation's log as this client has it, and the cursor rule of docs/protocol.md.

export class Log {
  // The position up to which we have everything; null while that is being found out.
  cursor = null;
  // Messages by seq, as they are now.
  messages = new Map();
  // Whether the newest page of history was read, and whether there is older history.
  loaded = false;
  complete = false;
  // Whether a range was asked for that has not come yet.
  fetching = false;

  constructor(cursor) {
    this.cursor = cursor;
  }

  // Take a change at a position; false if changes before it are missing, so that it has to wait
  // for the range that brings them all. A skip has no message.
  take(position, message) {
    if (this.cursor === null || position <= this.cursor) return true;
    if (position > this.cursor + 1) return false;
    if (message) this.put(message);
    this.cursor = position;
    return true;
  }

  // Take all that changed in (after, to]; false if there is more to ask for.
  takeRange({ after, to, head, changes }) {
    this.fetching = false;
    if (this.cursor === null) return true;
    if (after <= this.cursor && this.cursor < to) {
      for (const message of changes) {
        if (message.changed_seq > this.cursor) this.put(message);
      }
      this.cursor = to;
    }
    return this.cursor >= head;
  }

  // Take a page of history. It moves no cursor: it says nothing about changes of older rows.
  takePage(messages) {
    for (const message of messages) this.put(message);
  }

  put(message) {
    const known = this.messages.get(message.seq);
    if (!known || known.changed_seq <= message.changed_seq) this.messages.set(message.seq, message);
  }

  // Drop our copy: too much was missed, or the server's log is another one now.
  drop() {
    this.cursor = null;
    this.messages.clear();
    this.loaded = this.complete = this.fetching = false;
  }

  // Whether somebody has answered the message at this place.
  hasReply(seq, senderId) {
    const isReply = (one) => one.reply_to === seq && one.sender_id === senderId;
    return [...this.messages.values()].some(isReply);
  }

  inOrder() {
    return [...this.messages.values()].sort((one, other) => one.seq - other.seq);
  }
}
