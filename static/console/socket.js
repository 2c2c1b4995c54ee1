// One socket that stays: it says hello and sync, pings, and connects again by itself.

const PING_MS = 20_000;
const SILENCE_MS = 40_000;
const RETRY_MAX_MS = 15_000;
const CURSORS_PER_SYNC = 1_000;
const SYNC_REF = "sync";
// Before a `sync` that may succeed later is sent again.
const SYNC_AGAIN_MS = 1_000;
// Close codes from here on say that the same attempt would be refused again.
const DO_NOT_RECONNECT = 4500;
// A newer socket of the same user has taken the place of this one. Coming back by itself it would
// push out another, which comes back, and so on: whoever uses this page connects again.
const GAVE_WAY = 4002;

export function socketAddress() {
  const address = new URL("/ws/v1/", location.href);
  address.protocol = location.protocol === "https:" ? "wss:" : "ws:";
  return address.href;
}

export class Socket {
  #client;
  #socket = null;
  #wanted = false;
  #attempts = 0;
  #comeBackAt = 0;
  #retryTimer = 0;
  #pingTimer = 0;
  #heardAt = 0;
  #epoch;
  // Who waits for the answer to a command, by its ref.
  #asked = new Map();
  #refs = 0;

  // `client` offers: ticket() (a promise), cursors() {id: position}, feedSeq() (or undefined),
  // receive(frame), status(state, detail), trace(direction, text), failed(error) → go on?
  constructor(client) {
    this.#client = client;
  }

  start() {
    this.#wanted = true;
    this.#attempts = 0;
    this.#connect();
  }

  stop() {
    this.#wanted = false;
    clearTimeout(this.#retryTimer);
    this.#socket?.close(1000);
    this.#gone("offline", "");
  }

  // Whether the frame was handed to an open socket.
  send(frame) {
    return this.sendText(JSON.stringify(frame));
  }

  sendText(text) {
    if (this.#socket?.readyState !== WebSocket.OPEN) return false;
    this.#socket.send(text);
    this.#client.trace("sent", text);
    return true;
  }

  // Send a command; its reply, or thrown what the server or the line has against it.
  ask(command) {
    const ref = `ask-${++this.#refs}`;
    return new Promise((resolve, reject) => {
      if (this.send({ ...command, ref })) this.#asked.set(ref, { resolve, reject });
      else reject(new Error("Not connected."));
    });
  }

  async #connect() {
    clearTimeout(this.#retryTimer);
    this.#client.status("connecting", "");
    let ticket;
    try {
      ticket = await this.#client.ticket();
    } catch (error) {
      if (!this.#client.failed(error)) this.#wanted = false;
      this.#gone("offline", error.message);
      return;
    }
    // Somebody may have pressed Disconnect, or Connect twice, meanwhile.
    if (!this.#wanted || this.#socket) return;
    const socket = new WebSocket(socketAddress());
    this.#socket = socket;
    this.#heardAt = Date.now();
    socket.onopen = () => {
      const hello = { type: "hello", ticket, epoch: this.#epoch, feed_seq: this.#client.feedSeq() };
      this.send(hello);
      this.#pingTimer = setInterval(() => this.#ping(), PING_MS);
    };
    socket.onmessage = ({ data }) => {
      this.#heardAt = Date.now();
      this.#client.trace("received", data);
      this.#take(JSON.parse(data));
    };
    socket.onclose = ({ code, reason }) => {
      if (this.#socket !== socket) return;
      if (code >= DO_NOT_RECONNECT || code === GAVE_WAY) this.#wanted = false;
      this.#gone("offline", `closed with ${code} ${reason}`);
    };
  }

  #take(frame) {
    if (frame.type === "batch") {
      for (const one of frame.frames) this.#take(one);
      return;
    }
    if (this.#answer(frame)) return;
    if (frame.type === "welcome") this.#epoch = frame.epoch;
    if (frame.type === "bye") this.#comeBackAt = Date.now() + frame.reconnect_in * 1000;
    if (frame.type === "live") {
      this.#attempts = 0;
      this.#client.status("live", "");
    }
    this.#client.receive(frame);
    // After `receive`, which may have dropped cursors.
    if (frame.type === "welcome" || frame.type === "resync") this.#sync();
    if (frame.type === "error" && frame.ref === SYNC_REF && frame.retry) this.#syncLater(frame);
  }

  // Whether the frame is what somebody waits for.
  #answer(frame) {
    const asked = this.#asked.get(frame.ref);
    if (!asked) return false;
    this.#asked.delete(frame.ref);
    if (frame.type === "error") asked.reject(new Error(frame.message));
    else asked.resolve(frame);
    return true;
  }

  #syncLater({ retry_after: seconds }) {
    const socket = this.#socket;
    setTimeout(
      () => {
        if (this.#socket === socket) this.#sync();
      },
      seconds ? seconds * 1000 : SYNC_AGAIN_MS,
    );
  }

  #sync() {
    const cursors = Object.entries(this.#client.cursors());
    do {
      const some = cursors.splice(0, CURSORS_PER_SYNC);
      const done = cursors.length === 0;
      this.send({ type: "sync", ref: SYNC_REF, cursors: Object.fromEntries(some), done });
    } while (cursors.length);
  }

  #ping() {
    if (Date.now() - this.#heardAt < SILENCE_MS) {
      this.send({ type: "ping" });
      return;
    }
    // A dead line does not even close: leave it behind.
    this.#socket?.close();
    this.#gone("offline", "nothing heard for a while");
  }

  #gone(state, detail) {
    clearInterval(this.#pingTimer);
    this.#socket = null;
    for (const { reject } of this.#asked.values()) reject(new Error("The connection was lost."));
    this.#asked.clear();
    if (!this.#wanted) {
      this.#client.status(state, detail);
      return;
    }
    this.#attempts += 1;
    const backoff = Math.min(RETRY_MAX_MS, 250 * 2 ** this.#attempts) * (0.5 + Math.random() / 2);
    const wait = Math.max(0, this.#comeBackAt - Date.now());
    this.#retryTimer = setTimeout(() => this.#connect(), wait + backoff);
    this.#client.status("waiting", detail);
  }
}
