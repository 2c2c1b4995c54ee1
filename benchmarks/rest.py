"""A user of the server's REST interface, as far as the set-up of a run needs it."""

from typing import Any

import requests

TIMEOUT_SECONDS = 30
PAGE = 200


class Account:
    """A logged-in user. It belongs to no one server: every call names one."""

    def __init__(self, username: str, login: dict[str, Any]) -> None:
        self.username = username
        self.user_id: str = login["user"]["id"]
        self._http = requests.Session()
        self._http.headers["Authorization"] = f"Bearer {login['access_token']}"

    @classmethod
    def log_in(cls, url: str, username: str, password: str) -> "Account":
        """Raises RuntimeError with the answer if it is refused, as all calls here do."""
        login = _post(url, "auth/login", {"login": username, "password": password})
        return cls(username, _checked(login))

    def post(self, url: str, path: str, body: dict[str, Any]) -> dict[str, Any]:
        return _checked(_post(url, path, body, self._http))

    def ticket(self, url: str) -> str:
        """What opens one socket, within 30 seconds."""
        return str(self.post(url, "auth/ticket", {})["ticket"])

    def history(self, url: str, conversation_id: str, *, after: int) -> list[dict[str, Any]]:
        """All messages of a conversation above the position `after`, in order."""
        path = f"{url}/api/v1/conversations/{conversation_id}/messages"
        messages: list[dict[str, Any]] = []
        while True:
            query = {"after": messages[-1]["seq"] if messages else after, "limit": PAGE}
            page = _checked(self._http.get(path, params=query, timeout=TIMEOUT_SECONDS))["results"]
            messages += page
            if len(page) < PAGE:
                return messages


def _post(url: str, path: str, body: dict[str, Any], http: Any = requests) -> requests.Response:
    answer: requests.Response = http.post(
        f"{url}/api/v1/{path}", json=body, timeout=TIMEOUT_SECONDS
    )
    return answer


def _checked(answer: requests.Response) -> dict[str, Any]:
    if not answer.ok:
        message = f"{answer.request.method} {answer.url}: {answer.status_code} {answer.text[:500]}"
        raise RuntimeError(message)
    body: dict[str, Any] = answer.json()
    return body
