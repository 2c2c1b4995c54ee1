"""Names of hosts and origins in one spelling, that of browsers: small letters, IDNA, no default port.

Sources: Unicode Technical Standard 46 with RFC 5891 (internationalised names), RFC 3986
(section 3.2.2: addresses in brackets), RFC 6454 (section 6.2: origins in ASCII).
"""

import unicodedata
from ipaddress import ip_address
from urllib.parse import urlsplit

import idna

_DEFAULT_PORTS = {"http": 80, "https": 443, "ws": 80, "wss": 443}
# The dots of East Asian keyboards.
_DOTS = str.maketrans("\u3002\uff0e\uff61", "...")
# An origin of these is a file's or nobody's: any page could have it.
_NO_ORIGINS = frozenset({"", "file", "data", "blob", "about", "javascript", "ws", "wss"})


def normal_domain(name: str) -> str:
    """A domain name in ASCII and small letters, without the root's dot.

    What the rules of today refuse (a heart, an underscore) is spelled by the older ones.
    """
    name = name.translate(_DOTS).rstrip(".")
    try:
        return idna.encode(name, uts46=True).decode().lower()
    except idna.IDNAError:
        labels = unicodedata.normalize("NFKC", name).casefold().split(".")
        return ".".join(label if label.isascii() else _punycode(label) for label in labels)


def _punycode(label: str) -> str:
    # Half a character has no spelling.
    return "xn--" + label.encode("punycode", "replace").decode()


def shown_domain(name: str) -> str:
    """The same to be read: in the letters of its language."""
    ascii_name = normal_domain(name)
    try:
        return idna.decode(ascii_name)
    except idna.IDNAError:
        return ascii_name


def normal_host(text: str) -> str:
    """A host with or without a port, as in a Host header; IPv6 in brackets, a port kept."""
    host, port = split_port(text.strip())
    return f"{_normal_name(host)}:{port}" if port else _normal_name(host)


def split_port(text: str) -> tuple[str, str]:
    """The host and the port of `host`, `host:port`, `[v6]:port` or a bare IPv6 address."""
    if text.startswith("["):
        host, _, rest = text.partition("]")
        return f"{host}]", rest.removeprefix(":")
    if text.count(":") > 1:
        return text, ""
    host, _, port = text.partition(":")
    return host, port


def _normal_name(host: str) -> str:
    bare = host.removeprefix("[").removesuffix("]")
    try:
        # A zone (%eth0) is a matter of the machine that wrote it.
        address = ip_address(bare.partition("%")[0])
    except ValueError:
        # Django's way to name all hosts below one begins with a dot.
        return "." + normal_domain(host[1:]) if host.startswith(".") else normal_domain(host)
    return f"[{address}]" if address.version == 6 else str(address)


def normal_allowed_host(entry: str) -> str:
    """What a host header is compared with: an entry of ALLOWED_HOSTS without scheme, path and port."""
    entry = entry.strip()
    if "://" in entry:
        entry = urlsplit(entry).netloc
    return entry if "*" in entry else _normal_name(split_port(entry.rstrip("/"))[0])


def normal_origin(entry: str) -> str | None:
    """An origin as browsers and apps send it; None for what is no origin of anybody."""
    try:
        parts = urlsplit(entry.strip())
        port = parts.port
    except ValueError:
        return None
    scheme, host = parts.scheme, parts.hostname
    if scheme in _NO_ORIGINS or not host or parts.username is not None:
        return None
    if parts.path not in {"", "/"} or parts.query or parts.fragment:
        return None
    name = _normal_name(f"[{host}]" if ":" in host else host)
    return f"{scheme}://{name}" + ("" if port in {None, _DEFAULT_PORTS.get(scheme)} else f":{port}")
