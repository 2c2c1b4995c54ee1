// The links by which people join the open group.

import { button, onClick, onSubmit, tell } from "./attempt.js";
import { byId, Kept, make, show, timeOf } from "./view.js";

const DAY_SECONDS = 86_400;

// The token stands behind #, which browsers keep to themselves.
function linkOf(token) {
  return `${location.origin}${location.pathname}#join=${token}`;
}

export class Invitations {
  #page;
  #rows = new Kept();
  #conversationId = null;

  constructor(page) {
    this.#page = page;
    const link = byId("invitation-link");
    onSubmit("invite", async ({ days, uses, approval }) => {
      const token = await page.chat.group.invite({
        expires_in: days ? Number(days) * DAY_SECONDS : null,
        max_uses: uses ? Number(uses) : null,
        needs_approval: Boolean(approval),
      });
      link.value = linkOf(token);
      byId("new-link").hidden = false;
    });
    onClick("copy-link", async () => {
      link.select();
      // Without TLS there is no clipboard for pages: the link is marked for the keyboard.
      await navigator.clipboard?.writeText(link.value);
      tell(navigator.clipboard ? "Copied." : "Press Ctrl+C to copy.");
    });
  }

  draw(group) {
    if (this.#conversationId !== group.details.conversation_id) this.forget();
    this.#conversationId = group.details.conversation_id;
    const { people } = this.#page.chat;
    show(
      byId("invitations"),
      group.invitations.map((one) => {
        const maker = people.nameOf(one.created_by_id);
        return this.#rows.get(`${one.id} ${one.uses} ${maker}`, () =>
          make(
            "li",
            {},
            make("span", { className: "title" }, `By ${maker}: ${termsOf(one)}`),
            button("Revoke", () => group.revoke(one.id)),
          ),
        );
      }),
    );
  }

  forget() {
    this.#rows.forget();
    byId("invitation-link").value = "";
    byId("new-link").hidden = true;
  }
}

function termsOf({ uses, max_uses: most, expires_at: end, needs_approval: asks }) {
  const used = most ? `used ${uses} of ${most}×` : `used ${uses}×`;
  const until = end ? `, until ${timeOf(end)}` : "";
  return used + until + (asks ? ", needs approval" : "");
}
