// Contacts to pick from, as boxes to tick.

import { byId, Kept, make, nameTag, show } from "./view.js";

export class Picks {
  #container;
  #rows = new Kept();

  constructor(id) {
    this.#container = byId(id);
  }

  // Offer these users. What is ticked stays so.
  draw(users, people) {
    const none = this.#rows.get("none", () => make("p", {}, "Nobody: add contacts first."));
    const boxes = users.map(({ id }) => {
      const name = people.nameOf(id);
      return this.#rows.get(`${id} ${name}`, () => {
        const box = make("input", { type: "checkbox", name: "member", value: id });
        return make("label", { className: "check" }, box, nameTag(name));
      });
    });
    show(this.#container, boxes.length ? boxes : [none]);
  }

  forget() {
    this.#rows.forget();
    show(this.#container, []);
  }
}
