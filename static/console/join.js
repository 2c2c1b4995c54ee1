// Coming by an invitation: what it leads to is shown before anybody joins.

import { attempt, onClick, tell } from "./attempt.js";
import { byId } from "./view.js";
import { membersOf } from "./words.js";

const LINK = /^#join=(.+)$/;

export class Join {
  #page;
  #dialog = byId("join");
  #token = "";

  constructor(page) {
    this.#page = page;
    onClick("join-group", async () => {
      const id = await page.chat.join(this.#token);
      this.#dialog.close();
      if (id) {
        page.showPane("thread");
        await page.chat.show(id);
      } else {
        tell("You have asked to join. The group appears here once somebody lets you in.");
      }
    });
    addEventListener("hashchange", () => this.look());
  }

  // Follow the link in the address bar, if there is one and somebody is logged in.
  async look() {
    const token = location.hash.match(LINK)?.[1];
    if (!token || !this.#page.chat) return;
    // Another person at this browser does not follow it again.
    history.replaceState(null, "", location.pathname);
    this.#token = token;
    await attempt(async () => {
      const preview = await this.#page.chat.preview(token);
      byId("join-title").textContent = preview.name;
      byId("join-members").textContent = membersOf(preview);
      byId("join-approval").hidden = !preview.needs_approval;
      byId("join-group").textContent = preview.needs_approval ? "Ask to join" : "Join";
      this.#dialog.showModal();
    });
  }

  forget() {
    byId("join-title").textContent = "";
  }
}
