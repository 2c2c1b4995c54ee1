// The dialog in which a message or a user is reported to the moderators.

import { onClick, onSubmit, tell } from "./attempt.js";
import { byId } from "./view.js";

export class Report {
  #dialog = byId("report");
  #what = null;

  constructor(page) {
    onClick("report-peer", () => this.open({ user_id: page.chat.open.peer.id }));
    onSubmit("report-form", async ({ reason, comment }) => {
      await page.chat.report(this.#what, reason, comment);
      this.#dialog.close();
      tell("Thank you. The moderators will have a look.");
    });
  }

  // About a message, {conversation_id, seq}, or a user, {user_id}.
  open(what) {
    this.#what = what;
    byId("report-title").textContent = what.user_id ? "Report this person" : "Report this message";
    this.#dialog.showModal();
  }

  forget() {
    byId("report-form").reset();
  }
}
