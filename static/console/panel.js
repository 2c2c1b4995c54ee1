// The dialog about the open group: what one may do in it decides which parts are there.

import { gravely, onClick } from "./attempt.js";
import { Invitations } from "./invitations.js";
import { Members } from "./members.js";
import { Settings } from "./settings.js";
import { byId } from "./view.js";

export class Panel {
  #page;
  #dialog = byId("group");
  #parts;

  constructor(page) {
    this.#page = page;
    this.#parts = [new Members(page), new Invitations(page), new Settings(page)];
    onClick("show-group", () => this.#dialog.showModal());
    byId("group-end").append(
      gravely("Leave group", () => page.chat.leave()),
      gravely("Close group for good", () => page.chat.group.close()),
    );
    byId("group-end").lastChild.dataset.permission = "close";
  }

  draw() {
    const { group } = this.#page.chat;
    // Nobody looks at a group they are not in any more.
    if (!this.#page.chat.open?.group) this.#dialog.close();
    if (!group.details) return;
    byId("group-title").textContent = group.details.name;
    byId("group-description").textContent = group.details.description;
    byId("requests-count").textContent = group.requests.length || "";
    for (const part of this.#dialog.querySelectorAll("[data-permission]")) {
      part.hidden = !part.dataset.permission.split(" ").some((one) => group.may(one));
    }
    for (const part of this.#parts) part.draw(group);
  }

  forget() {
    for (const part of this.#parts) part.forget();
  }
}
