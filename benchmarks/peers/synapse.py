"""Synapse from PyPI, in a virtual environment of its own, on the run's PostgreSQL.

Configured as an operator would for speed: no limits, and everything off that private chat does
not need: federation, presence, previews, the user directory.
"""

import asyncio
import base64
import hashlib
import hmac
import json
import os
import secrets
import subprocess
import sys
import urllib.request
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import psycopg

from benchmarks.calls import Caller
from benchmarks.job import Conversation, Seat
from benchmarks.peers.matrix import CLIENT
from benchmarks.peers.server import PeerServer
from benchmarks.peers.target import Peer
from tools.server import Server

SYNAPSE = "1.163.2"
PACKAGES = (f"matrix-synapse=={SYNAPSE}", "psycopg2-binary==2.9.13")
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "chatbe"
ADMIN = "/_synapse/admin/v1"
DOMAIN = "localhost"
FILLED_AT_ONCE = 8

LIMITS = (
    *("rc_message", "rc_registration", "rc_joins_per_room", "rc_room_creation"),
    *("rc_login.address", "rc_login.account", "rc_joins.local"),
    *("rc_invites.per_room", "rc_invites.per_user", "rc_invites.per_issuer"),
)
FAR_OFF = {"per_second": 100_000, "burst_count": 100_000}


def install() -> Path:
    """The Python of a virtual environment with Synapse, created on first use."""
    folder = CACHE / f"synapse-{SYNAPSE}"
    python, done = folder / "bin" / "python", folder / "installed"
    if not done.exists():
        print(f"Installing Synapse {SYNAPSE} into {folder} …", file=sys.stderr, flush=True)
        subprocess.run([sys.executable, "-m", "venv", "--clear", folder], check=True)
        pip = ("-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-input")
        subprocess.run([python, *pip, *PACKAGES], check=True)
        done.touch()
    return python


class SynapseServer(PeerServer):
    title = "Synapse"
    # As ourselves: another account could not enter the folder it is installed in.
    account = ""

    def __init__(self, python: Path, settings: Mapping[str, Any], *, cpus: str) -> None:
        super().__init__(cpus=cpus)
        self._python = python
        self._settings = settings

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def _login(self) -> None:
        pass

    def _configure(self) -> None:
        listener = {
            "port": self.port,
            "bind_addresses": ["127.0.0.1"],
            "type": "http",
            "resources": [{"names": ["client"]}],
        }
        files = {
            "pid_file": str(self.directory / "synapse.pid"),
            "media_store_path": str(self.directory / "media"),
            "log_config": str(self.directory / "log.yaml"),
        }
        log = {"version": 1, "root": {"level": "ERROR"}, "disable_existing_loggers": False}
        # JSON is valid YAML.
        self._write("log.yaml", json.dumps(log))
        self._write(
            "homeserver.yaml", json.dumps({**self._settings, **files, "listeners": [listener]})
        )

    def _command(self) -> list[str]:
        config = str(self.directory / "homeserver.yaml")
        return [str(self._python), "-m", "synapse.app.homeserver", "--config-path", config]

    def _answers(self, pid: int) -> bool:
        try:
            urllib.request.urlopen(f"{self.url}/health", timeout=5).close()  # noqa: S310
        except OSError:
            return False
        return True


class Synapse(Peer):
    name = "synapse"
    separator = ":"

    def seats(self, server: Server) -> list[Seat]:
        return [Seat(url=server.url, hello={"token": token}) for token in self._tokens]

    def stored(self, prefix: str) -> dict[str, int]:
        query = (
            "SELECT json::json->'content'->>'client_id', count(*) FROM event_json"
            " WHERE json LIKE %s GROUP BY 1"
        )
        with psycopg.connect(self._database_url) as connection:
            found = connection.execute(query, [f'%"client_id":"{prefix}.%'])
            return dict(found.fetchall())

    def _install(self) -> Server:
        self._secret = secrets.token_urlsafe(32)
        return SynapseServer(install(), self._settings(), cpus=self._cpus)

    def _settings(self) -> dict[str, Any]:
        settings: dict[str, Any] = {
            "server_name": DOMAIN,
            "report_stats": False,
            "signing_key": "ed25519 a_1 " + base64.b64encode(secrets.token_bytes(32)).decode(),
            "macaroon_secret_key": secrets.token_urlsafe(32),
            "form_secret": secrets.token_urlsafe(32),
            "registration_shared_secret": self._secret,
            "bcrypt_rounds": 4,
            "trusted_key_servers": [],
            "federation_domain_whitelist": [],
            "presence": {"enabled": False},
            "user_directory": {"enabled": False},
            "database": {
                "name": "psycopg2",
                "args": {**self._database, "cp_min": 5, "cp_max": 10},
                # Synapse requires C; ours is C.UTF-8, which sorts the same.
                "allow_unsafe_locale": True,
            },
        }
        for limit in LIMITS:
            name, _, part = limit.partition(".")
            if part:
                settings.setdefault(name, {})[part] = FAR_OFF
            else:
                settings[name] = FAR_OFF
        return settings

    def _fill(self, server: Server, conversations: Sequence[Sequence[int]]) -> None:
        asyncio.run(self._fill_by_rest(server.url, conversations))

    async def _fill_by_rest(self, url: str, conversations: Sequence[Sequence[int]]) -> None:
        free = asyncio.Semaphore(FILLED_AT_ONCE)

        async def register(number: int) -> str:
            async with free:
                return await _register(url, f"user{number}", self._secret)

        async def meet(members: Sequence[int]) -> Conversation:
            async with free:
                one, two = (self._tokens[index] for index in members)
                room_id = await _meet(url, one, two, f"@user{members[1]}:{DOMAIN}")
                return Conversation(id=room_id, members=list(members))

        self._tokens = list(await asyncio.gather(*map(register, range(self._users))))
        self.conversations = list(await asyncio.gather(*map(meet, conversations)))


async def _register(url: str, user: str, secret: str) -> str:
    """The access token of a new account."""
    admin = Caller(Seat(url=url), base=ADMIN)
    nonce = (await admin.get("register")).content["nonce"]
    signed = f"{nonce}\0{user}\0{user}\0notadmin".encode()
    answer = await admin.call(
        "POST",
        "register",
        {
            "nonce": nonce,
            "username": user,
            "password": user,
            "mac": hmac.new(secret.encode(), signed, hashlib.sha1).hexdigest(),
        },
    )
    admin.close()
    token: str = answer.content["access_token"]
    return token


async def _meet(url: str, one: str, two: str, guest: str) -> str:
    """The id of a new room with these two in it."""
    host, other = (Caller(Seat(url=url, hello={"token": key}), base=CLIENT) for key in (one, two))
    channel = {"preset": "trusted_private_chat", "is_direct": True, "invite": [guest]}
    room_id: str = (await host.call("POST", "createRoom", channel)).content["room_id"]
    joined = await other.call("POST", f"rooms/{room_id}/join", {})
    assert joined.status == 200, joined
    host.close()
    other.close()
    return room_id
