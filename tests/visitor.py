"""Somebody in a browser window, who notes everything that goes wrong in it."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from playwright.sync_api import (
    ConsoleMessage,
    Dialog,
    Locator,
    Page,
    Request,
    WebSocket,
    expect,
)

from tests.servers import PASSWORD
from tests.stage import Person


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

    def log_in(self, person: Person) -> None:
        self.page.goto(self.url)
        form = self.page.locator("#login")
        form.get_by_label("Username or e-mail").fill(person.username)
        form.get_by_label("Password").fill(PASSWORD)
        form.get_by_role("button", name="Log in").click()
        self.is_live()

    def is_live(self) -> None:
        expect(self.page.get_by_role("status")).to_have_text("Live", timeout=20_000)

    def open(self, name: str) -> None:
        """Open the conversation with a contact."""
        people = self.page.get_by_role("list", name="Contacts")
        people.get_by_role("button", name=name, exact=True).click()
        expect(self.page.locator("#thread-title")).to_have_text(name)

    def say(self, text: str) -> None:
        self.page.get_by_label("Message", exact=True).fill(text)
        self.page.get_by_role("button", name="Send", exact=True).click()

    def reads(self, *texts: str) -> None:
        """These are the stored messages of the open conversation, in this order."""
        stored = self.page.locator("#messages li:not(.waiting) p")
        expect(stored).to_have_text([exactly(text) for text in texts], timeout=20_000)

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
