"""Somebody at the admin of a running server, with a browser's cookies and forms."""

from __future__ import annotations

import re
from typing import Any

import requests

from tests.servers import PASSWORD
from tests.stage import Person, Stage

TIMEOUT = 20


class Staff:
    """A person of a stage, made a superuser behind its back, who has logged in at `url`."""

    def __init__(self, stage: Stage, person: Person, url: str | None = None) -> None:
        stage.change(
            "UPDATE accounts_user SET is_staff = ?, is_superuser = ? WHERE id = ?",
            *(True, True, int(person.user_id)),
        )
        self.admin = f"{url or stage.server.url}/admin"
        self._session = requests.Session()
        self.fill_in("/", username=person.username, password=PASSWORD)

    def fill_in(self, path: str, **typed: Any) -> str:
        """Open a form and send it; the page after it."""
        page = self._session.get(self.admin + path, timeout=TIMEOUT)
        [token] = set(re.findall(r'name="csrfmiddlewaretoken" value="(\w+)"', page.text))
        body = {"csrfmiddlewaretoken": token, **typed}
        answer = self._session.post(page.url, data=body, timeout=TIMEOUT)
        assert answer.status_code == 200, (path, answer.status_code)
        return answer.text

    def do(self, deed: str, model: str, row_id: Any, **said: Any) -> str:
        """A deed to a row, for a reason."""
        return self.fill_in(f"/{model}/{row_id}/do/{deed}/", reason="because", **said)
