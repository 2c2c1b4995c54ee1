"""One user's session over REST: log in, tickets, tokens renewed when they run out.

Calls run `requests` in threads of their own pool, so that a server that hangs delays
only those who called it. Addresses are `host:port`.
"""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import requests

_threads = ThreadPoolExecutor(32, thread_name_prefix="rest")


class UnreachableError(Exception):
    """No usable answer: the connection failed, or the server said it cannot right now."""


class RefusedError(Exception):
    """The server answered with an error that a repeat does not cure."""

    def __init__(self, status: int, body: dict[str, Any]) -> None:
        self.status = status
        self.code = str(body.get("code", ""))
        self.body = body
        super().__init__(f"{status} {body}")


async def call(
    address: str,
    method: str,
    path: str,
    *,
    body: dict[str, Any] | None = None,
    token: str | None = None,
    timeout: float = 20.0,
) -> Any:
    """Call `/api/v1/<path>` and return the decoded answer; raises UnreachableError or RefusedError."""
    headers = {"Authorization": f"Bearer {token}"} if token else {}

    def run() -> Any:
        try:
            answer = requests.request(
                method,
                f"http://{address}/api/v1/{path}",
                json=body,
                headers=headers,
                timeout=timeout,
            )
            content = answer.json() if answer.content else {}
        except (requests.RequestException, ValueError) as error:
            raise UnreachableError(str(error)) from error
        if answer.status_code in {429, 503}:
            raise UnreachableError(f"{answer.status_code} {content}")
        if answer.status_code >= 400:
            raise RefusedError(answer.status_code, content)
        return content

    return await asyncio.get_running_loop().run_in_executor(_threads, run)


class Account:
    """A user who knows the password. Its methods may be called from one event loop."""

    def __init__(self, username: str, password: str) -> None:
        self.username = username
        self.user_id = ""
        self._password = password
        self._access_token = ""
        self._refresh_token = ""
        self._renewing = asyncio.Lock()

    @property
    def access_token(self) -> str:
        return self._access_token

    async def log_in(self, address: str) -> None:
        """Open a session (a new device)."""
        tokens = await call(
            address,
            "POST",
            "auth/login",
            body={"login": self.username, "password": self._password},
        )
        self.user_id = tokens["user"]["id"]
        self._keep(tokens)

    async def go_on(self, address: str, user_id: str, refresh_token: str) -> None:
        """Use a session that is there already."""
        self.user_id, self._refresh_token = user_id, refresh_token
        await self._renew(address, "")

    async def ticket(self, address: str) -> str:
        """A fresh one-time ticket for `hello`."""
        answer = await self.call(address, "POST", "auth/ticket")
        return str(answer["ticket"])

    async def call(
        self, address: str, method: str, path: str, body: dict[str, Any] | None = None
    ) -> Any:
        """Call as this user; an access token that ran out is renewed once."""
        token = self._access_token
        try:
            return await call(address, method, path, body=body, token=token)
        except RefusedError as error:
            if error.status != 401:
                raise
        await self._renew(address, token)
        return await call(address, method, path, body=body, token=self._access_token)

    async def _renew(self, address: str, used: str) -> None:
        async with self._renewing:
            if self._access_token != used:
                return
            tokens = await call(
                address, "POST", "auth/refresh", body={"refresh_token": self._refresh_token}
            )
            self._keep(tokens)

    def _keep(self, tokens: dict[str, Any]) -> None:
        self._access_token = tokens["access_token"]
        self._refresh_token = tokens["refresh_token"]
