"""A REST client with the few calls that checking a run needs."""

from typing import Any

import requests

TIMEOUT_SECONDS = 30
PAGE = 200


class Account:
    """A logged-in user. Every call names the server."""

    def __init__(self, access_token: str) -> None:
        self._http = requests.Session()
        self._http.headers["Authorization"] = f"Bearer {access_token}"

    def ticket(self, url: str) -> str:
        """A ticket that opens one socket."""
        answer = self._http.post(f"{url}/api/v1/auth/ticket", timeout=TIMEOUT_SECONDS)
        answer.raise_for_status()
        ticket: str = answer.json()["ticket"]
        return ticket

    def history(self, url: str, conversation_id: str, *, after: int) -> list[dict[str, Any]]:
        """All messages of a conversation above the position `after`, in order."""
        path = f"{url}/api/v1/conversations/{conversation_id}/messages"
        messages: list[dict[str, Any]] = []
        while True:
            query = {"after": messages[-1]["seq"] if messages else after, "limit": PAGE}
            answer = self._http.get(path, params=query, timeout=TIMEOUT_SECONDS)
            answer.raise_for_status()
            page = answer.json()["results"]
            messages += page
            if len(page) < PAGE:
                return messages
