// Who is in the open group, who would like to be, and who could be added.

import { button, gravely, onSubmit } from "./attempt.js";
import { Picks } from "./picks.js";
import { avatar, byId, Kept, make, nameTag, show } from "./view.js";

const RANKS = ["member", "admin", "owner"];

export class Members {
  #page;
  #rows = new Kept();
  #picks = new Picks("member-picks");

  constructor(page) {
    this.#page = page;
    onSubmit("add-members", (_, fields) => page.chat.group.add(fields.getAll("member")));
  }

  draw(group) {
    const { people } = this.#page.chat;
    show(
      byId("join-requests"),
      group.requests.map(({ user }) =>
        this.#row("request", user, "", () => [
          button("Let in", () => group.approve(user.id)),
          button("Decline", () => group.decline(user.id)),
        ]),
      ),
    );
    byId("requests").hidden = group.requests.length === 0;
    show(
      byId("members"),
      group.members.map(({ user, role }) =>
        this.#row(group.details.role, user, role, () => this.#actions(group, user, role)),
      ),
    );
    const inside = new Set(group.members.map(({ user }) => user.id));
    const outside = people.contacts.filter(({ user }) => !inside.has(user.id));
    this.#picks.draw(outside.map(({ user }) => user), people);
  }

  forget() {
    this.#rows.forget();
    this.#picks.forget();
  }

  #actions(group, user, role) {
    if (user.id === this.#page.chat.user.id) return [];
    const isAbove = RANKS.indexOf(group.details.role) > RANKS.indexOf(role);
    const maySetRole = group.may("set_role") && role !== "owner";
    const other = role === "admin" ? "member" : "admin";
    return [
      maySetRole && button(`Make ${other}`, () => group.setRole(user.id, other)),
      group.may("transfer") && gravely("Make owner", () => group.transfer(user.id)),
      group.may("remove") && isAbove && gravely("Remove", () => group.remove(user.id)),
    ].filter(Boolean);
  }

  #row(kind, user, role, actions) {
    const { people } = this.#page.chat;
    const { id } = this.#page.chat.open;
    const name = people.nameOf(user.id);
    const row = this.#rows.get(`${id} ${kind} ${user.id} ${role} ${name}`, () =>
      make(
        "li",
        { title: `@${people.usernameOf(user.id)}` },
        avatar(name, user.id),
        make("span", { className: "title" }, nameTag(name), make("small", {}, role)),
        make("span", { className: "actions" }, ...actions()),
      ),
    );
    row.firstChild.classList.toggle("online", people.isOnline(user.id));
    return row;
  }
}
