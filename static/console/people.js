// Who people are, as far as this person knows: contacts, bots, and whoever turns up in a group.

const DELETED = "Deleted account";

export class People {
  // As REST lists them: {user, alias} and {user}, and users that are programs.
  contacts = [];
  requests = [];
  bots = [];
  // How many contacts are online, and how many there are, as the socket counts them.
  onlineCount = 0;
  contactsCount = 0;
  #known = new Map();
  #aliases = new Map();
  #lookedUp = new Set();
  #online = new Set();
  #lastSeen = new Map();
  #rest;
  #changed;

  constructor(rest, changed) {
    this.#rest = rest;
    this.#changed = changed;
    this.meet([rest.user]);
  }

  async read() {
    const [contacts, requests, { results: bots }] = await Promise.all([
      this.#rest.all("contacts"),
      this.#rest.all("contact-requests/incoming"),
      this.#rest.call("GET", "bots"),
    ]);
    Object.assign(this, { contacts, requests, bots });
    this.#aliases = new Map(contacts.map(({ user, alias }) => [user.id, alias]));
    this.meet([...contacts, ...requests].map(({ user }) => user));
    this.meet(bots);
  }

  // Remember users that something named.
  meet(users) {
    for (const user of users) if (user) this.#known.set(user.id, user);
  }

  // Our own name for them, or theirs. Of a stranger it comes a little later.
  nameOf(id) {
    const user = this.#known.get(id);
    if (!user) this.#lookUp(id);
    if (!user) return "…";
    return user.deleted ? DELETED : this.#aliases.get(id) || user.display_name || user.username;
  }

  usernameOf(id) {
    return this.#known.get(id)?.username ?? "";
  }

  isBot(id) {
    return this.#known.get(id)?.bot ?? false;
  }

  isOnline(id) {
    return this.#online.has(id);
  }

  // When a contact who is offline was last here, if they show it.
  lastSeen(id) {
    return this.#lastSeen.get(id);
  }

  // Take a frame about presence. A snapshot replaces what was known.
  receive(frame) {
    if (frame.type === "presence.snapshot") {
      this.#online = new Set(frame.online);
      this.#lastSeen = new Map(frame.last_seen.map((one) => [one.user_id, one.last_seen]));
      this.onlineCount = frame.online_count;
      this.contactsCount = frame.contacts_count;
    }
    if (frame.type === "presence.changed") this.#move(frame);
  }

  // Without a socket nobody can tell.
  forgetPresence() {
    this.#online.clear();
    this.onlineCount = 0;
  }

  #move({ user_id: id, online, last_seen: lastSeen }) {
    // Such news may come twice.
    if (online !== this.#online.has(id)) this.onlineCount += online ? 1 : -1;
    if (online) this.#online.add(id);
    else this.#online.delete(id);
    if (lastSeen) this.#lastSeen.set(id, lastSeen);
  }

  #lookUp(id) {
    if (this.#lookedUp.has(id)) return;
    this.#lookedUp.add(id);
    this.#rest
      .call("GET", `users/${id}`)
      .catch(() => ({ id, deleted: true }))
      .then((user) => {
        this.meet([user]);
        this.#changed();
      });
  }
}
