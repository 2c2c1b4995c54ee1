"""Somebody at the admin of a running server, with a browser's cookies and forms."""

from __future__ import annotations

import re
from typing import Any

import requests

from tests.kit.secret_scan import PASSWORD
from tests.kit.site import TestSite, TestUser

TIMEOUT = 20


class AdminPages:
    """The admin at a server's address, for a visitor who may or may not have logged in."""

    def __init__(self, url: str) -> None:
        self._admin = f"{url}/admin"
        self._session = requests.Session()

    def see(self, path: str, status: int = 200) -> str:
        """A page."""
        answer = self._session.get(self._admin + path, timeout=TIMEOUT)
        assert answer.status_code == status, (path, answer.status_code)
        return answer.text

    def fill_in(self, path: str, **typed: Any) -> str:
        """Open a form and send it; the page after it."""
        page = self._session.get(self._admin + path, timeout=TIMEOUT)
        [token] = set(re.findall(r'name="csrfmiddlewaretoken" value="(\w+)"', page.text))
        body = {"csrfmiddlewaretoken": token, **typed}
        answer = self._session.post(page.url, data=body, timeout=TIMEOUT)
        assert answer.status_code == 200, (path, answer.status_code)
        return answer.text


class Staff(AdminPages):
    """A person of a stage, made a superuser behind its back, who has logged in at `url`."""

    def __init__(self, site: TestSite, person: TestUser, url: str | None = None) -> None:
        super().__init__(url or site.server.url)
        site.change(
            "UPDATE accounts_user SET is_staff = ?, is_superuser = ? WHERE id = ?",
            *(True, True, int(person.user_id)),
        )
        self.fill_in("/", username=person.username, password=PASSWORD)

    def do(self, action: str, model: str, row_id: Any, *, reason: str = "because") -> str:
        """An action to a row."""
        return self.fill_in(f"/{model}/{row_id}/do/{action}/", reason=reason)
