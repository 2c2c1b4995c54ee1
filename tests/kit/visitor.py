"""Somebody in a browser window, who notes everything that goes wrong in it."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

from playwright.sync_api import (
    ConsoleMessage,
    Dialog,
    Locator,
    Page,
    Request,
    WebSocket,
    expect,
)

from tests.kit.secret_scan import PASSWORD
from tests.kit.site import TestUser

CALL = """async ([method, path, bodies]) => {
  const { access_token: token } = JSON.parse(sessionStorage.getItem("chat.session"));
  const headers = { Authorization: `Bearer ${token}`, "Content-Type": "application/json" };
  const answers = [];
  for (const body of bodies) {
    const sent = body === null ? undefined : JSON.stringify(body);
    const answer = await fetch(`/api/v1/${path}`, { method, headers, body: sent });
    if (!answer.ok) throw new Error(await answer.text());
    answers.push(answer.status === 204 ? null : await answer.json());
  }
  return answers;
}"""


@dataclass
class Visitor:
    """Somebody's browser window, and what went wrong in it."""

    page: Page
    url: str
    complaints: list[str] = field(default_factory=list)

    def watch(self) -> None:
        page = self.page
        # A violation of the Content-Security-Policy is such an error, too.
        page.on("console", self._note_error)
        page.on("pageerror", lambda error: self._complain(f"uncaught: {error}"))
        page.on("dialog", self._dismiss)
        page.on("request", self._note_foreign)
        page.on("popup", lambda popup: self._complain(f"opened {popup.url}"))
        page.on("websocket", self._note_foreign)

    def log_in(self, person: TestUser, at: str = "") -> None:
        """Log in, on the page itself or where a link to it leads."""
        self.page.goto(at or self.url)
        form = self.page.locator("#login")
        form.get_by_label("Username or email").fill(person.username)
        form.get_by_label("Password").fill(PASSWORD)
        form.get_by_role("button", name="Log in").click()
        self.is_live()

    def is_live(self) -> None:
        expect(self.page.get_by_role("status")).to_have_text("Live", timeout=20_000)

    def open(self, name: str) -> None:
        """Open the conversation with a contact."""
        self._open(self.page.get_by_role("list", name="Contacts"), name)

    def open_listed(self, name: str) -> None:
        """Open a conversation that there is."""
        self._open(self.page.locator("#conversations"), name)

    def say(self, text: str) -> None:
        self.page.get_by_label("Message", exact=True).fill(text)
        self.page.get_by_role("button", name="Send", exact=True).click()

    def reads(self, *texts: str) -> None:
        """These are the stored messages of the open conversation, in this order."""
        stored = self.page.locator("#messages li:not(.waiting, .streaming) p")
        expect(stored).to_have_text([exactly(text) for text in texts], timeout=20_000)

    def told(self, *lines: str) -> None:
        """This is what the open conversation tells of itself, in this order."""
        told = self.page.locator("#messages li.system")
        expect(told).to_have_text([exactly(line) for line in lines], timeout=20_000)

    def message(self, text: str) -> Locator:
        """The row of the message with this text."""
        said = self.page.locator("p").get_by_text(text, exact=True)
        return self.page.locator("#messages li").filter(has=said)

    def do_with(self, text: str, *labels: str) -> None:
        """Press these buttons at a message, one after the other."""
        self.message(text).hover()
        for label in labels:
            self.message(text).get_by_role("button", name=label, exact=True).click()

    def make_group(self, name: str, *members: TestUser) -> None:
        """Make a group of contacts, and open it."""
        self.page.get_by_role("button", name="New group").click()
        dialog = self.page.locator("#new-group")
        dialog.get_by_label("Name", exact=True).fill(name)
        for member in members:
            dialog.get_by_label(member.username, exact=True).check()
        dialog.get_by_role("button", name="Create group").click()
        expect(self.page.locator("#thread-title")).to_have_text(name)

    def in_panel(self, member: TestUser, *labels: str) -> None:
        """Press these buttons beside a member in the panel of the open group."""
        panel = self.page.locator("#group")
        if panel.is_hidden():
            self.page.locator("#show-group").click()
        name = self.page.get_by_text(member.username, exact=True)
        row = panel.get_by_role("list", name="Members").get_by_role("listitem").filter(has=name)
        for label in labels:
            row.get_by_role("button", name=label, exact=True).click()

    def invite(self, *terms: str) -> str:
        """Make an invitation to the open group with these boxes ticked: its link."""
        self.page.locator("#show-group").click()
        self.page.get_by_text("Invitation links").click()
        for term in terms:
            self.page.get_by_label(term).check()
        self.page.get_by_role("button", name="Create link").click()
        link = self.page.get_by_label("Invitation link")
        expect(link).to_have_value(re.compile("#join="))
        return link.input_value()

    def call(self, method: str, path: str, body: Any = None) -> Any:
        """Call `/api/v1/<path>` as who is logged in here."""
        return self.call_often(method, path, [body])[0]

    def call_often(self, method: str, path: str, bodies: list[Any]) -> list[Any]:
        """The same with one body after the other."""
        answers: list[Any] = self.page.evaluate(CALL, [method, path, bodies])
        return answers

    def _open(self, listed: Locator, name: str) -> None:
        title = self.page.get_by_text(name, exact=True)
        listed.get_by_role("button").filter(has=title).click()
        expect(self.page.locator("#thread-title")).to_have_text(name)

    def _complain(self, what: str) -> None:
        self.complaints.append(what)

    def _note_error(self, said: ConsoleMessage) -> None:
        if said.type == "error":
            self._complain(said.text)

    def _dismiss(self, dialog: Dialog) -> None:
        self._complain(f"a dialog: {dialog.message}")
        dialog.dismiss()

    def _note_foreign(self, request: Request | WebSocket) -> None:
        own = (self.url, self.url.replace("http", "ws", 1))
        if not request.url.startswith((*own, "data:image/")):
            self._complain(f"asked for {request.url}")


def exactly(text: str) -> re.Pattern[str]:
    return re.compile(f"^{re.escape(text)}$")


def hrefs(links: Locator) -> list[str]:
    """Where these links lead, as the browser understands them."""
    return [link.evaluate("link => link.href") for link in links.all()]
