// The conversations and contacts of the person.

import { attempt, button, onSubmit, tell } from "./attempt.js";
import { avatar, byId, Kept, make, nameTag, show } from "./view.js";
import { membersOf, presenceOf, systemLine } from "./words.js";

const PREVIEW_CHARACTERS = 80;

export class Sidebar {
  #page;
  #rows = new Kept();

  constructor(page) {
    this.#page = page;
    onSubmit("add-contact", async ({ username }) => {
      if (!(await page.chat.addContact(username))) tell(`${username} has been asked.`);
    });
  }

  draw() {
    const { people, conversations } = this.#page.chat;
    show(
      byId("conversations"),
      conversations.inOrder().map((one) => this.#conversation(one)),
    );
    const contacts = people.contacts.map(({ user }) => user);
    const bots = people.bots.filter((bot) => !contacts.some((user) => user.id === bot.id));
    show(byId("contacts"), [
      ...people.requests.map(({ user }) => this.#request(user)),
      ...[...contacts, ...bots].map((user) => this.#contact(user)),
    ]);
    byId("online").textContent = people.onlineCount ? `${people.onlineCount} online` : "";
  }

  forget() {
    this.#rows.forget();
    for (const id of ["conversations", "contacts"]) show(byId(id), []);
  }

  #conversation(one) {
    const { chat } = this.#page;
    const row = this.#row(`conversation ${one.id}`, () => chat.show(one.id));
    const title = chat.titleOf(one);
    const unread = one.unread > 0 ? [make("b", { textContent: one.unread, title: "unread" })] : [];
    row.firstChild.replaceChildren(
      this.#sign(title, one.peer?.id ?? one.id),
      make("span", { className: "title" }, nameTag(title)),
      ...unread,
      make("small", { className: "last" }, ...this.#preview(one)),
    );
    if (one.id === chat.openId) row.firstChild.setAttribute("aria-current", "true");
    else row.firstChild.removeAttribute("aria-current");
    return row;
  }

  #preview({ group, last_message: message }) {
    const members = group ? [`${membersOf(group)}${message ? " · " : ""}`] : [];
    return [...members, ...(message ? this.#words(message) : [])];
  }

  #words(message) {
    const { people, user } = this.#page.chat;
    if (message.system) return systemLine(message, people, user.id);
    if (message.deleted_at) return ["Message deleted"];
    return [message.text.slice(0, PREVIEW_CHARACTERS)];
  }

  #request(user) {
    const { chat } = this.#page;
    return this.#rows.get(`request ${user.id}`, () => {
      const accept = button("Accept ", () => chat.accept(user.id), "row");
      accept.append(nameTag(user.username));
      return make("li", {}, accept);
    });
  }

  #contact(user) {
    const { chat } = this.#page;
    const row = this.#row(`contact ${user.id}`, () => chat.openDirect(user.id));
    const name = chat.people.nameOf(user.id);
    row.firstChild.title = `@${user.username}`;
    row.firstChild.replaceChildren(
      this.#sign(name, user.id),
      make("span", { className: "title" }, nameTag(name)),
      make("small", { className: "last", textContent: presenceOf(user.id, chat.people) }),
    );
    return row;
  }

  // With a dot for who is online.
  #sign(name, id) {
    const sign = avatar(name, id);
    sign.classList.toggle("online", this.#page.chat.people.isOnline(id));
    return sign;
  }

  #row(key, act) {
    return this.#rows.get(key, () => {
      const inner = make("button", { type: "button", className: "row" });
      inner.addEventListener("click", () => {
        this.#page.showPane("thread");
        attempt(act);
      });
      return make("li", {}, inner);
    });
  }
}
