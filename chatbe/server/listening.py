"""The sockets that a server listens on, and in plain words why there are none."""

import errno
import os
import socket
from ipaddress import ip_address


class CannotListen(Exception):
    """Nobody can be served at this address; says why and what to do."""


def listen_on(host: str, port: int) -> list[socket.socket]:
    """A bound socket for each address that the host has here. CannotListen."""
    if not 0 <= port <= 65_535:
        raise CannotListen(f"{port} is no port: choose one from 0 to 65535.")
    try:
        found = socket.getaddrinfo(
            host.strip("[]") or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )
    except (socket.gaierror, UnicodeError) as error:
        raise CannotListen(
            f"{host} is neither an address nor a name that is known here."
        ) from error
    opened: list[socket.socket] = []
    refused: list[OSError] = []
    for family, _, _, _, address in dict.fromkeys(found):
        try:
            opened.append(_bind(family, address))
        except OSError as error:
            refused.append(error)
    taken = [error for error in refused if error.errno == errno.EADDRINUSE]
    # A name may have addresses that this machine lacks (`localhost` without IPv6).
    if opened and not taken:
        return opened
    for one in opened:
        one.close()
    raise CannotListen(_reason(host, port, (taken or refused)[0]))


def url_of(host: str, listener: socket.socket) -> str:
    """Where a server that was started for this host answers."""
    name = f"[{host}]" if ":" in host and not host.startswith("[") else host
    return f"http://{name}:{listener.getsockname()[1]}/"


def exposure(host: str) -> str | None:
    """What whoever starts a server without PRODUCTION should know, if others can reach it."""
    try:
        addresses = {found[4][0] for found in socket.getaddrinfo(host.strip("[]") or None, 0)}
    except (socket.gaierror, UnicodeError):
        return None
    if host and all(ip_address(str(a).partition("%")[0]).is_loopback for a in addresses):
        return None
    return (
        f"Warning: {host or 'every address'} can be reached by other machines, and this server is"
        " set up for a first try: no TLS, secrets in DATA_DIR, mails with their codes printed here."
        " For others set PRODUCTION=true (docs/operations.md); to be reached under another name"
        " at all, name it in ALLOWED_HOSTS."
    )


def _bind(family: int, address: object) -> socket.socket:
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        if os.name == "posix":
            # What a server that was stopped just now left behind is no other server.
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        listener.bind(address)  # type: ignore[arg-type]
        listener.set_inheritable(True)
    except OSError:
        listener.close()
        raise
    return listener


def _reason(host: str, port: int, error: OSError) -> str:
    match error.errno:
        case errno.EADDRINUSE:
            return (
                f"Port {port} of {host} is taken: stop what listens there, or choose another"
                " (--port, or PORT with make run)."
            )
        case errno.EACCES | errno.EPERM:
            return f"Port {port} is not for this account: choose one from 1024 on."
        case errno.EADDRNOTAVAIL:
            return f"{host} is no address of this machine."
        case errno.EAFNOSUPPORT:
            return f"This machine has no network of the kind of {host}."
        case _:
            return f"Nothing can listen on port {port} of {host}: {error.strerror}."
