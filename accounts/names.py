"""Usernames and e-mail addresses: what may be one, and when two are the same.

Two usernames are the same when a reader could take one for the other. They are
compared by their key: the case-folded skeleton of Unicode Technical Standard 39,
plus the look-alikes that only folding the case brings together (I, l and i). The
rule about scripts is that standard's "single script" with its East Asian mixtures.
"""

import unicodedata
from functools import lru_cache

from confusable_homoglyphs.categories import alias as script_of
from confusable_homoglyphs.confusables import confusables_data
from django.core.exceptions import ValidationError
from django.core.validators import validate_email

from chatbe.core.errors import InvalidInput
from chatbe.core.text import clean_line

USERNAME_MIN = 3
USERNAME_MAX = 32
EMAIL_MAX = 254
DISPLAY_NAME_MAX = 64
ABOUT_MAX = 500
# Looking up a name longer than any account's is answered without computing its key.
LOGIN_MAX = EMAIL_MAX

_PUNCTUATION = frozenset("_.-")
_DIGITS = frozenset("0123456789")
_LETTERS = frozenset({"Lu", "Ll", "Lo"})
# Letters by category that are drawn as nothing at all (Hangul fillers).
_INVISIBLE = frozenset("\u115f\u1160")
_TOGETHER = (
    frozenset({"HAN", "HIRAGANA", "KATAKANA"}),
    frozenset({"HAN", "HANGUL"}),
    frozenset({"HAN", "BOPOMOFO"}),
)
# I looks like l, and I is i when the case is folded: all of them are one letter here.
_ONE_LETTER = str.maketrans("i1|", "lll")


def clean_username(value: str) -> str:
    """Return the username in NFC as it will be stored; InvalidInput says what is wrong."""
    name = clean_line(value, "username", max_length=USERNAME_MAX)
    problem = _problem_of(name)
    if problem:
        raise InvalidInput(fields={"username": problem})
    return name


def _problem_of(name: str) -> str | None:  # noqa: PLR0911 - one for each rule
    if len(name) < USERNAME_MIN:
        return f"is shorter than {USERNAME_MIN} characters"
    if not all(_is_letter(c) or c in _DIGITS or c in _PUNCTUATION for c in name):
        return "may hold letters, digits, '_', '.' and '-'"
    if name[0] in _PUNCTUATION or name[-1] in _PUNCTUATION:
        return "must begin and end with a letter or digit"
    if unicodedata.normalize("NFKC", name) != name:
        return "holds characters that are only another form of a letter"
    scripts = {script_of(c) for c in name if _is_letter(c)}
    if len(scripts) > 1 and not any(scripts <= allowed for allowed in _TOGETHER):
        return "mixes letters of different scripts"
    seen = _fold(_skeleton(name))
    if seen.isascii() and seen != username_key(name):
        # Capitals that look Latin while their small letters do not: as one key cannot
        # match both, such a name would pass for a Latin one.
        return "looks like another name; write it in small letters"
    return None


def _is_letter(character: str) -> bool:
    return unicodedata.category(character) in _LETTERS and character not in _INVISIBLE


@lru_cache(maxsize=1024)
def username_key(name: str) -> str:
    """What is unique about a username; defined for any text, so that any can be looked up."""
    return _fold(_skeleton(unicodedata.normalize("NFC", name).casefold()))


def _fold(skeleton: str) -> str:
    return skeleton.casefold().translate(_ONE_LETTER)


def _skeleton(text: str) -> str:
    """The skeleton of UTS 39 section 4: texts that look alike have the same one."""
    decomposed = unicodedata.normalize("NFD", text)
    return unicodedata.normalize("NFD", "".join(_prototype(c) for c in decomposed))


@lru_cache(maxsize=4096)
def _prototype(character: str) -> str:
    """The character or characters that stand for all that look like this one.

    The data lists look-alikes in both directions. Only a prototype has several; where
    two characters know just each other, either may stand for both.
    """
    alike = _look_alikes(character)
    if len(alike) != 1:
        return character
    other = alike[0]
    if len(other) > 1 or len(_look_alikes(other)) > 1:
        return other
    return min(character, other)


def _look_alikes(character: str) -> list[str]:
    # Characters written from right to left stand between marks in the data.
    entries = confusables_data.get(character) or confusables_data.get(f"\u200e{character}\u200e")
    return [entry["c"].replace("\u200e", "") for entry in entries or ()]


def clean_email(value: str) -> str:
    """Return the address as it will be stored; InvalidInput unless it has the form of one."""
    address = clean_line(value, "email", max_length=EMAIL_MAX)
    try:
        validate_email(address)
    except ValidationError as error:
        raise InvalidInput(fields={"email": "is not an e-mail address"}) from error
    return address


def email_key(address: str) -> str:
    """What is unique about an e-mail address."""
    return unicodedata.normalize("NFC", address).casefold()
