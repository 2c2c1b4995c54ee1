"""ejabberd from the Debian package, with its messages archived in PostgreSQL and without.

Configured as an operator would for speed: no limits, one scheduler for its one processor, and only
the modules needed. Users have no contacts, and there is no offline storage.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import psycopg

from benchmarks.peers.server import PeerServer
from benchmarks.peers.target import Archive, XmppTarget
from benchmarks.peers.xmpp import DOMAIN
from tools import programs
from tools.server import Server


class EjabberdServer(PeerServer):
    title = "ejabberd"
    account = "ejabberd"

    def __init__(self, settings: Mapping[str, Any], *, cpus: str) -> None:
        super().__init__(cpus=cpus)
        self._settings = settings

    def _configure(self) -> None:
        listener = {
            "port": self.port,
            "ip": "127.0.0.1",
            "module": "ejabberd_c2s",
            "access": "all",
            "shaper": "none",
            # All clients connect at once.
            "backlog": 1000,
        }
        # JSON is valid YAML.
        self._write("ejabberd.yml", json.dumps({**self._settings, "listen": [listener]}))

    def _command(self) -> list[str]:
        return [
            *("erl", "+K", "true", "+P", "250000", "+S", "1:1", "-noinput"),
            *("-mnesia", "dir", f'"{self.directory}/mnesia"'),
            *("-s", "ejabberd"),
        ]

    def _environment(self) -> dict[str, str]:
        return {
            "ERL_LIBS": str(programs.locate("ejabberd").parent),
            "ERL_CRASH_DUMP_BYTES": "0",
            "EJABBERD_CONFIG_PATH": str(self.directory / "ejabberd.yml"),
            "EJABBERD_LOG_PATH": str(self.directory / "ejabberd.log"),
        }


class Ejabberd(XmppTarget):
    name = "ejabberd"

    def _install(self) -> Server:
        programs.install("ejabberd", "p1_pgsql")
        return EjabberdServer(self._settings(), cpus=self._cpus)

    def _settings(self) -> dict[str, Any]:
        return {
            "hosts": [DOMAIN],
            "loglevel": "error",
            "auth_method": "internal",
            # No digest, as logging in is not measured.
            "auth_password_format": "plain",
            "registration_timeout": "infinity",
            "modules": {
                "mod_register": {"access": "all", "ip_access": "all"},
                "mod_roster": {},
                "mod_muc": {
                    "access": "all",
                    "access_create": "all",
                    "max_users": 5000,
                    "history_size": 0,
                    "default_room_options": {"max_users": 5000, "mam": False},
                },
            },
        }


class EjabberdArchive(Ejabberd):
    name = "ejabberd_archive"
    archive = Archive("archive", "xml")

    def _install(self) -> Server:
        installed = super()._install()
        tables = Path("/usr/share/ejabberd/sql/pg.sql").read_text()
        with psycopg.connect(self._database_url) as connection:
            connection.execute(tables.encode())
        return installed

    def _settings(self) -> dict[str, Any]:
        settings = super()._settings()
        database = self._database
        settings["modules"]["mod_mam"] = {"db_type": "sql", "default": "always"}
        return settings | {
            "sql_type": "pgsql",
            "sql_server": database["host"],
            "sql_port": int(database["port"]),
            "sql_database": database["dbname"],
            "sql_username": database["user"],
            "sql_password": database["password"],
        }
