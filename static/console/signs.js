// What is shown of a conversation beside its messages: who is typing, and what was read.

export class Signs {
  // By conversation: until when who is typing, how far who has read, and counts in large groups.
  #typists = new Map();
  #readers = new Map();
  #counts = new Map();
  #changed;

  constructor(changed) {
    this.#changed = changed;
  }

  startTyping({ conversation_id: id, user_id: userId, expires_in: seconds }) {
    const until = Date.now() + seconds * 1000;
    this.#typists.set(id, new Map(this.#typists.get(id)).set(userId, until));
    setTimeout(this.#changed, seconds * 1000);
  }

  stopTyping(id, userId) {
    this.#typists.get(id)?.delete(userId);
  }

  // Pointers only move forward.
  takeReceipts({ conversation_id: id, receipts = [], counts }) {
    const readers = this.#readers.get(id) ?? new Map();
    this.#readers.set(id, readers);
    for (const { user_id: userId, read_seq: seq } of receipts) {
      readers.set(userId, Math.max(seq ?? 0, readers.get(userId) ?? 0));
    }
    if (counts) this.#counts.set(id, counts);
  }

  // The ids of those who are typing now.
  typing(id) {
    const now = Date.now();
    return [...(this.#typists.get(id) ?? [])].filter(([, end]) => end > now).map(([who]) => who);
  }

  // How far somebody else has read, and in a group how many have read up to `head`.
  read(id, ownId, head) {
    const others = [...(this.#readers.get(id) ?? [])].filter(([userId]) => userId !== ownId);
    const counts = this.#counts.get(id);
    return {
      upTo: Math.max(0, ...others.map(([, seq]) => seq)),
      by: counts?.seq >= head ? counts.read : others.filter(([, seq]) => seq >= head).length,
    };
  }
}
