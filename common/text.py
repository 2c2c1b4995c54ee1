"""Cleaning of what people type, before it is stored, compared or hashed.

docs/spelling.md is the table of what becomes of which spelling. Source for the refused and
removed characters: Unicode Technical Report 36 and Unicode Standard Annex 9 (bidirectional
controls); for passwords RFC 8265, section 4.2 (OpaqueString).
"""

import re
import unicodedata

from django.conf import settings

from common.errors import InvalidInput, TooLarge
from common.invisible import IGNORED, draws_nothing, names_nothing, piles_marks, without_invisible

_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")
_LINE_BREAKS = re.compile("[\\n\\t\u2028\u2029]")
# Read once: Django's lazy settings are slow for what every message asks.
_MAX_CHARACTERS: int = settings.TEXT_MAX_CHARACTERS
_MAX_BYTES: int = settings.TEXT_MAX_BYTES
_BIDI_CONTROLS = re.compile("[\u202a-\u202e\u2066-\u2069]")
# What mail and word processors make of a hyphen.
_DASHES = re.compile("[\u2010-\u2015\u2212\ufe58\ufe63\uff0d]")


def clean_text(value: str, field: str = "text") -> str:
    """Return a message's text in NFC without bidirectional overrides.

    Raises InvalidInput for a text that draws nothing and for control characters other than
    tab and newline, TooLarge above TEXT_MAX_CHARACTERS characters or TEXT_MAX_BYTES of UTF-8.
    """
    if len(value) > _MAX_CHARACTERS:
        raise TooLarge(f"A text has at most {_MAX_CHARACTERS} characters.")
    # Most are plain: there is nothing to normalise.
    cleaned = value if value.isascii() else without_directions(value)
    if "\r" in cleaned:
        cleaned = cleaned.replace("\r\n", "\n")
    if _CONTROLS.search(cleaned):
        raise InvalidInput(fields={field: "holds control characters"})
    if draws_nothing(cleaned):
        raise InvalidInput(fields={field: "is empty"})
    if len(cleaned.encode()) > _MAX_BYTES:
        raise TooLarge(f"A text has at most {_MAX_BYTES} bytes.")
    return cleaned


def clean_line(value: str, field: str, *, max_length: int) -> str:
    """The same for one line, such as a name.

    It has no tabs or line breaks, of what draws nothing only what belongs to its words, and
    no more marks on a letter than writing needs.
    """
    cleaned = normal_line(value)
    if _CONTROLS.search(cleaned) or _LINE_BREAKS.search(cleaned):
        raise InvalidInput(fields={field: "holds control characters"})
    if names_nothing(cleaned):
        raise InvalidInput(fields={field: "is empty"})
    if len(cleaned) > max_length:
        raise InvalidInput(fields={field: f"is longer than {max_length} characters"})
    if piles_marks(cleaned):
        raise InvalidInput(fields={field: "has too many marks on one letter"})
    return cleaned


def without_directions(value: str) -> str:
    """A text in NFC without the controls that turn its direction round."""
    return unicodedata.normalize("NFC", _BIDI_CONTROLS.sub("", value))


def normal_line(value: str) -> str:
    """A name as `clean_line` stores it, to look one up by; refuses nothing."""
    return unicodedata.normalize("NFC", without_invisible(unicodedata.normalize("NFC", value)))


def clean_label(value: str, *, max_length: int) -> str:
    """What a program calls itself (a device, a browser): cleaned and cut, never refused."""
    printable = _LINE_BREAKS.sub(" ", _CONTROLS.sub(" ", value))
    cleaned = " ".join(normal_line(printable).split())[:max_length].rstrip()
    return "" if names_nothing(cleaned) or piles_marks(cleaned) else cleaned


def normal_password(value: str) -> str:
    """One password for one word, whichever keyboard it was typed on."""
    if value.isascii():
        return value
    spaced = "".join(" " if unicodedata.category(c) == "Zs" else c for c in value)
    return unicodedata.normalize("NFC", spaced)


def plain_digits(value: str) -> str:
    """A text with the digits of all scripts as 0 to 9."""
    if value.isascii():
        return value
    return "".join(
        str(unicodedata.decimal(c)) if unicodedata.category(c) == "Nd" else c for c in value
    )


def normal_code(value: str) -> str:
    """A code or token as it was made, however it was pasted.

    Broken over lines, in full width, with a hyphen that some program made longer.
    """
    code = plain_digits(unicodedata.normalize("NFKC", _DASHES.sub("-", value)))
    return "".join(IGNORED.sub("", code).split())
