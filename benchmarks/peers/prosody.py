"""prosody from the Debian package, with its messages archived in PostgreSQL and without.

Configured as an operator would for speed: no limits, and only the modules needed.
"""

from collections.abc import Mapping

from benchmarks.peers.server import PeerServer
from benchmarks.peers.target import Archive, XmppTarget
from benchmarks.peers.xmpp import DOMAIN
from tools import programs
from tools.server import Server


class ProsodyServer(PeerServer):
    title = "prosody"
    account = "prosody"

    def __init__(self, modules: tuple[str, ...], sql: Mapping[str, str], *, cpus: str) -> None:
        super().__init__(cpus=cpus)
        self._modules = modules
        self._sql = sql

    def _configure(self) -> None:
        sql = "".join(f'{name} = "{value}"; ' for name, value in self._sql.items())
        storage = f'sql = {{ {sql} }}\nstorage = {{ archive = "sql" }}' if sql else ""
        self._write(
            "prosody.cfg.lua",
            f"""
interfaces = {{ "127.0.0.1" }}
c2s_ports = {{ {self.port} }}
c2s_require_encryption = false
allow_unencrypted_plain_auth = true
authentication = "internal_plain"
allow_registration = true
modules_enabled = {{ {", ".join(f'"{module}"' for module in self._modules)} }}
modules_disabled = {{ "s2s", "offline", "tls" }}
default_archive_policy = true
archive_expires_after = "never"
{storage}
data_path = "{self.directory}/data"
pidfile = "{self.directory}/prosody.pid"
log = {{ error = "*console" }}
VirtualHost "{DOMAIN}"
""",
        )

    def _create(self) -> None:
        data = self.directory / "data"
        data.mkdir()
        self._give_away(data)

    def _command(self) -> list[str]:
        program = str(programs.locate("prosody"))
        return [program, "-F", "--config", str(self.directory / "prosody.cfg.lua")]


class Prosody(XmppTarget):
    name = "prosody"
    modules: tuple[str, ...] = ("saslauth", "register_ibr", "roster")

    def _install(self) -> Server:
        programs.install("prosody", "luadbi")
        return ProsodyServer(self.modules, self._sql(), cpus=self._cpus)

    def _sql(self) -> dict[str, str]:
        return {}


class ProsodyArchive(Prosody):
    name = "prosody_archive"
    archive = Archive("prosodyarchive", "value")
    modules = (*Prosody.modules, "mam")

    def _sql(self) -> dict[str, str]:
        database = self._database
        return {
            "driver": "PostgreSQL",
            "host": database["host"],
            "port": database["port"],
            "database": database["dbname"],
            "username": database["user"],
            "password": database["password"],
        }
