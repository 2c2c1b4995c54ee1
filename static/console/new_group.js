// The dialog in which a group is made.

import { onClick, onSubmit } from "./attempt.js";
import { Picks } from "./picks.js";
import { byId } from "./view.js";

export class NewGroup {
  #page;
  #picks = new Picks("new-group-picks");

  constructor(page) {
    this.#page = page;
    onClick("show-new-group", () => byId("new-group").showModal());
    onSubmit("new-group-form", async ({ name, description }, fields) => {
      const id = await page.chat.createGroup(name, description, fields.getAll("member"));
      byId("new-group").close();
      page.showPane("thread");
      await page.chat.show(id);
    });
  }

  draw() {
    const { people } = this.#page.chat;
    const contacts = people.contacts.map(({ user }) => user);
    this.#picks.draw(contacts, people);
  }

  forget() {
    this.#picks.forget();
  }
}
