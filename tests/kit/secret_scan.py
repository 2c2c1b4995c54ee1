"""What no log may hold, known by its shape, so that every test looks for it (S29)."""

import re

# Everybody's, in all tests.
PASSWORD = "correct horse battery staple"

SHAPES = {
    "a password": re.escape(PASSWORD),
    "an e-mail address": r"[\w.]+@example\.(org|com)",
    "a signed token": r"\beyJ[\w-]{10,}\.[\w-]+",
    # Tickets, refresh tokens, mailed codes, invitations: 256 bits in base64.
    "a secret": r"(?<![\w/+-])(?=[\w-]*\d)(?=[\w-]*[a-z])(?=[\w-]*[A-Z])[\w-]{43}(?![\w/+-])",
}


def secrets_in(log: str) -> list[str]:
    """What was found, each with the line it is in."""
    found = []
    for name, shape in SHAPES.items():
        for match in re.finditer(shape, log):
            start, end = log.rfind("\n", 0, match.start()) + 1, log.find("\n", match.end())
            line = log[start : end if end >= 0 else None]
            found.append(f"{name}, {match[0]!r}, in {line!r}")
    return found
