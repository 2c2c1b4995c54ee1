"""Cleaning of what people type, before it is stored, compared or hashed.

Source for the refused and removed characters: Unicode Technical Report 36 and
Unicode Standard Annex 9 (bidirectional controls).
"""

import re
import unicodedata

from django.conf import settings

from chatbe.core.errors import InvalidInput, TooLarge

_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")
_LINE_BREAKS = re.compile("[\\n\\t\u2028\u2029]")
# Read once: Django's lazy settings are slow for what every message asks.
_MAX_CHARACTERS: int = settings.TEXT_MAX_CHARACTERS
_MAX_BYTES: int = settings.TEXT_MAX_BYTES
_BIDI_CONTROLS = re.compile("[\u202a-\u202e\u2066-\u2069]")


def clean_text(value: str, field: str = "text") -> str:
    """Return a message's text in NFC without bidirectional overrides.

    Raises InvalidInput for blank text and for control characters other than tab and
    newline, TooLarge above TEXT_MAX_CHARACTERS characters or TEXT_MAX_BYTES of UTF-8.
    """
    if len(value) > _MAX_CHARACTERS:
        raise TooLarge(f"A text has at most {_MAX_CHARACTERS} characters.")
    if value.isascii():
        # The common case: nothing to normalise, nothing bidirectional.
        cleaned = value
    else:
        cleaned = _BIDI_CONTROLS.sub("", unicodedata.normalize("NFC", value))
    if "\r" in cleaned:
        cleaned = cleaned.replace("\r\n", "\n")
    if _CONTROLS.search(cleaned):
        raise InvalidInput(fields={field: "holds control characters"})
    if not cleaned.strip():
        raise InvalidInput(fields={field: "is empty"})
    if len(cleaned.encode()) > _MAX_BYTES:
        raise TooLarge(f"A text has at most {_MAX_BYTES} bytes.")
    return cleaned


def clean_line(value: str, field: str, *, max_length: int) -> str:
    """The same for one line, such as a name: no tabs or line breaks, outer spaces removed."""
    cleaned = _BIDI_CONTROLS.sub("", unicodedata.normalize("NFC", value)).strip()
    if _CONTROLS.search(cleaned) or _LINE_BREAKS.search(cleaned):
        raise InvalidInput(fields={field: "holds control characters"})
    if not cleaned:
        raise InvalidInput(fields={field: "is empty"})
    if len(cleaned) > max_length:
        raise InvalidInput(fields={field: f"is longer than {max_length} characters"})
    return cleaned
