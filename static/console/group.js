// The open conversation as a group that somebody may govern, and what they do to it over REST.

// What reading is answered with where the group became another one meanwhile: it is read again.
const OVERTAKEN = ["not_found", "forbidden", "conflict"];

export class Group {
  // As GET groups/{id} has it, with the own role and permissions; null if no group is open.
  details = null;
  // [{user, role}], invitations that were not revoked, and who waits to be let in.
  members = [];
  invitations = [];
  requests = [];
  #conversation = null;
  // What is read and done, one after the other.
  #turn = Promise.resolve();
  #rest;
  #people;
  #changed;

  constructor(rest, people, changed) {
    this.#rest = rest;
    this.#people = people;
    this.#changed = changed;
  }

  may(permission) {
    return this.details?.permissions.includes(permission) ?? false;
  }

  // Show this conversation, if it is a group; read it anew when REST told something new of it.
  async follow(conversation) {
    if (conversation === this.#conversation) return;
    if (conversation?.id !== this.#conversation?.id) this.#clear();
    this.#conversation = conversation;
    if (!conversation?.group) return;
    try {
      await this.#inTurn(() => this.#read());
    } catch (error) {
      if (!OVERTAKEN.includes(error.code)) throw error;
    }
  }

  async #read() {
    const conversation = this.#conversation;
    if (!conversation?.group) return;
    const path = `groups/${conversation.id}`;
    const [details, members] = await Promise.all([
      this.#rest.call("GET", path),
      this.#rest.all(`${path}/members`),
    ]);
    const may = (permission) => details.permissions.includes(permission);
    const [invitations, requests] = await Promise.all([
      may("invite") ? this.#rest.all(`${path}/invitations`) : [],
      may("manage_invitations") ? this.#rest.all(`${path}/join-requests`) : [],
    ]);
    this.#people.meet([...members, ...requests].map(({ user }) => user));
    // Another conversation may have been opened meanwhile.
    if (conversation !== this.#conversation) return;
    Object.assign(this, { details, members, invitations, requests });
    this.#changed();
  }

  // Each of these throws what the server refuses.
  close = () => this.#call("POST", "/close");
  transfer = (userId) => this.#call("POST", "/transfer", { user_id: userId });
  add = (userIds) => this.#call("POST", "/members", { member_ids: userIds });
  remove = (userId) => this.#call("DELETE", `/members/${userId}`);
  setRole = (userId, role) => this.#call("PATCH", `/members/${userId}`, { role });
  approve = (userId) => this.#call("POST", `/join-requests/${userId}/approve`);
  decline = (userId) => this.#call("DELETE", `/join-requests/${userId}`);
  revoke = (invitationId) => this.#call("DELETE", `/invitations/${invitationId}`);

  // The invitation's token, which nobody is ever told again.
  async invite(terms) {
    return (await this.#call("POST", "/invitations", terms)).token;
  }

  leave() {
    const path = `groups/${this.#conversation.id}/leave`;
    return this.#inTurn(() => this.#rest.call("POST", path));
  }

  // Have these settings. Which of them are a change shows when what was done before is over.
  become(settings) {
    const changes = () =>
      Object.entries(settings).filter(([name, value]) => value !== this.details[name]);
    return this.#call("PATCH", "", () => Object.fromEntries(changes()));
  }

  #call(method, path, body) {
    const address = `groups/${this.#conversation.id}${path}`;
    return this.#inTurn(async () => {
      const said = typeof body === "function" ? body() : body;
      const answer = await this.#rest.call(method, address, said);
      await this.#read();
      return answer;
    });
  }

  #inTurn(act) {
    const turn = this.#turn.then(act);
    this.#turn = turn.catch(() => {});
    return turn;
  }

  #clear() {
    Object.assign(this, { details: null, members: [], invitations: [], requests: [] });
  }
}
