"""Usernames and e-mail addresses: what may be one, and when two are the same.

Two usernames are the same when a reader could take one for the other. They are
compared by their key: the case-folded skeleton of Unicode Technical Standard 39,
plus the look-alikes that only folding the case brings together (I, l and i). The
rule about scripts is that standard's "single script" with its East Asian mixtures.

Two e-mail addresses are the same when mail to them comes to the same box.
"""

import unicodedata
from functools import lru_cache
from ipaddress import ip_address

from confusable_homoglyphs.categories import alias as script_of
from confusable_homoglyphs.confusables import confusables_data
from django.core.exceptions import ValidationError
from django.core.validators import validate_email

from common.errors import InvalidInput
from common.hosts import normal_domain, shown_domain
from common.invisible import IGNORED
from common.text import clean_line, normal_line, plain_digits, without_directions

USERNAME_MIN = 3
# In scripts where a letter is a syllable or a word: most Chinese and Korean given names.
USERNAME_MIN_EAST_ASIA = 2
USERNAME_MAX = 32
EMAIL_MAX = 254
DISPLAY_NAME_MAX = 64
ABOUT_MAX = 500
# Looking up a name longer than any account's is answered without computing its key.
LOGIN_MAX = EMAIL_MAX

_PUNCTUATION = frozenset("_.-")
_DIGITS = frozenset("0123456789")
_LETTERS = frozenset({"Lu", "Ll", "Lo", "Lm"})
# Marks that are part of how a script is written belong to it (vowel signs of India and
# Thailand, points of Hebrew); those that go with any letter would disguise one.
_MARKS = frozenset({"Mn", "Mc"})
# Letters by category that are drawn as nothing at all (Hangul fillers).
_INVISIBLE = frozenset("\u115f\u1160\u17b4\u17b5")
# Letters that belong to no script by the data, and those whose script they share.
_LONG_VOWEL = "\u30fc"
_SHARED = {_LONG_VOWEL: "KATAKANA"}
# A letter of Han, though a number by its category.
_ZERO = "\u3007"
_ZWJ = "\u200d"
_JOINERS = frozenset({"\u200c", _ZWJ})
# The combining class of the mark that takes a letter's vowel away, in the scripts of India.
_VIRAMA = 9
_TOGETHER = (
    frozenset({"HAN", "HIRAGANA", "KATAKANA"}),
    frozenset({"HAN", "HANGUL"}),
    frozenset({"HAN", "BOPOMOFO"}),
)
_EAST_ASIA = frozenset({"HAN", "HIRAGANA", "KATAKANA", "HANGUL"})
_KANA_OR_HAN = frozenset({"HAN", "HIRAGANA", "KATAKANA"})
# Signs that some words are written with, and the scripts of the letter before and of that
# after each (RFC 5892, appendix A). Elsewhere they would pass for another sign.
_SIGNS: dict[str, tuple[frozenset[str] | None, frozenset[str] | None]] = {
    # Geresh, gershayim, tsheg: they may also end a word.
    "\u05f3": (frozenset({"HEBREW"}), None),
    "\u05f4": (frozenset({"HEBREW"}), None),
    "\u0f0b": (frozenset({"TIBETAN"}), None),
    # Between the parts of a foreign name.
    "\u30fb": (_KANA_OR_HAN, _KANA_OR_HAN),
    # The okina of Hawaii, which may also begin a word, and the apostrophe of Ukraine.
    "\u02bb": (None, frozenset({"LATIN"})),
    "\u02bc": (frozenset({"CYRILLIC"}), frozenset({"CYRILLIC"})),
}
_MIDDLE_DOT = "\u00b7"
# I looks like l, and I is i when the case is folded: all of them are one letter here.
_ONE_LETTER = str.maketrans("i1|", "lll")


def clean_username(value: str) -> str:
    """Return the username in NFC as it will be stored; InvalidInput says what is wrong.

    Digits of other scripts become 0 to 9.
    """
    clean_line(value, "username", max_length=USERNAME_MAX)
    # What draws nothing is left out of other names. Here it is refused: nobody is to wonder
    # what their name is.
    name = plain_digits(without_directions(value).strip())
    problem = _problem_of(name)
    if problem:
        raise InvalidInput(fields={"username": problem})
    return name


def _problem_of(name: str) -> str | None:  # noqa: PLR0911 - one for each rule
    shortest = shortest_name(name)
    if len(name) < shortest:
        return f"is shorter than {shortest} characters"
    if not all(_may_stand(name, index) for index in range(len(name))):
        return "may hold letters, digits, '_', '.' and '-'"
    if name[0] in _PUNCTUATION or name[-1] in _PUNCTUATION:
        return "must begin and end with a letter or digit"
    if unicodedata.normalize("NFKC", name) != name:
        return "holds characters that are only another form of a letter"
    scripts = {_script(c) for c in name if _is_letter(c) or _is_mark(c)}
    if len(scripts) > 1 and not any(scripts <= allowed for allowed in _TOGETHER):
        return "mixes letters of different scripts"
    seen = _fold(_skeleton(name))
    if seen.isascii() and seen != username_key(name):
        # Capitals that look Latin while their small letters do not: as one key cannot
        # match both, such a name would pass for a Latin one.
        return "looks like another name; write it in small letters"
    return None


def shortest_name(name: str) -> int:
    """How many characters a username has at least that is written like this one."""
    if name and all(_is_letter(c) and _script(c) in _EAST_ASIA for c in name):
        return USERNAME_MIN_EAST_ASIA
    return USERNAME_MIN


def _may_stand(name: str, index: int) -> bool:
    character, before, after = name[index], name[:index], name[index + 1 :]
    if character in _SIGNS:
        return all(
            scripts is None or (bool(beside) and _script(beside) in scripts)
            for scripts, beside in zip(_SIGNS[character], (before[-1:], after[:1]), strict=True)
        )
    if character == _MIDDLE_DOT:
        # Catalan has a doubled l with it, as in Gal\u00b7la.
        return before[-1:] in {"l", "L"} and after[:1] in {"l", "L"}
    if character in _JOINERS:
        if character == _ZWJ and before and unicodedata.combining(before[-1]) == _VIRAMA:
            # Draws a letter of its own from those before, also at the end of a word (Malayalam).
            return True
        # Between two letters of a script that is written joined.
        return bool(before and after) and all(
            unicodedata.category(c) in {"Lo", *_MARKS} for c in (before[-1], after[0])
        )
    if _is_mark(character):
        return bool(before) and (
            _is_letter(before[-1]) or _is_mark(before[-1]) or before[-1] in _JOINERS
        )
    return _is_letter(character) or character in _DIGITS or character in _PUNCTUATION


def _is_letter(character: str) -> bool:
    category = unicodedata.category(character)
    if category == "Lm" and character not in _SHARED and script_of(character) == "COMMON":
        # Signs that are raised beside any letter, and pass for apostrophes.
        return False
    return character == _ZERO or (category in _LETTERS and character not in _INVISIBLE)


def _is_mark(character: str) -> bool:
    if unicodedata.category(character) not in _MARKS or character in _INVISIBLE:
        return False
    return script_of(character) not in {"INHERITED", "COMMON"}


def _script(character: str) -> str:
    return _SHARED.get(character) or str(script_of(character))


@lru_cache(maxsize=1024)
def username_key(name: str) -> str:
    """What is unique about a username; defined for any text, so that any can be looked up."""
    if not name.isascii():
        name = IGNORED.sub("", plain_digits(unicodedata.normalize("NFKC", name)))
    return _fold(_skeleton(name.strip().casefold()))


def _fold(skeleton: str) -> str:
    # A capital I with a dot is, in small letters, an i with one dot too many.
    return skeleton.casefold().translate(_ONE_LETTER).replace("l\u0307", "l")


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


# What keyboards of East Asia make of the sign in the middle.
_AT_SIGNS = str.maketrans("\uff20\ufe6b", "@@")


def clean_email(value: str) -> str:
    """Return the address as it will be stored; InvalidInput unless it has the form of one.

    Capitals stay as they were typed; a domain is in the letters of its language.
    """
    address = clean_line(value, "email", max_length=EMAIL_MAX)
    local, domain = _split(address)
    if not local or not domain or any(c.isspace() for c in address):
        raise InvalidInput(fields={"email": "is not an e-mail address"})
    address = f"{local}@{_shown_domain(domain)}"
    sent_to = deliverable(address)
    try:
        # Django's pattern ignores the case, by which "\u0130" and "\u0131" are letters of ASCII.
        if not sent_to.isascii():
            raise ValidationError(sent_to)
        validate_email(sent_to)
    except ValidationError as error:
        raise InvalidInput(fields={"email": "is not an e-mail address"}) from error
    if len(address) > EMAIL_MAX:
        raise InvalidInput(fields={"email": f"is longer than {EMAIL_MAX} characters"})
    return address


def is_email(login: str) -> bool:
    """Whether somebody who logs in means an e-mail address: a username has no such sign."""
    return "@" in login.translate(_AT_SIGNS)


def email_key(address: str) -> str:
    """What is unique about an e-mail address; defined for any text."""
    local, domain = _split(normal_line(address))
    if not domain:
        return local.casefold()
    return f"{unicodedata.normalize('NFKC', local.casefold())}@{_deliverable_domain(domain)}"


def deliverable(address: str) -> str:
    """The address as mail servers take it: its domain in ASCII, by today's rules.

    Python's own would send mail for straße.example to strasse.example.
    """
    local, _, domain = address.rpartition("@")
    return f"{local}@{_deliverable_domain(domain)}"


def _split(address: str) -> tuple[str, str]:
    """The name in a box's address, and the domain as it was typed."""
    local, _, domain = address.translate(_AT_SIGNS).rpartition("@")
    if not local:
        return domain, ""
    local = unicodedata.normalize("NFKC", IGNORED.sub("", local))
    if (
        len(local) > 2
        and local[0] == local[-1] == '"'
        and not set(local[1:-1]) & set('" \\()<>[]:;@,')
    ):
        # Quotes around what needs none.
        local = local[1:-1]
    return local, domain.strip()


def _shown_domain(domain: str) -> str:
    if domain.startswith("["):
        return domain
    plain = domain.isascii() and "xn--" not in domain.casefold()
    return domain.rstrip(".") if plain else shown_domain(domain)


def _deliverable_domain(domain: str) -> str:
    if not domain.startswith("["):
        return normal_domain(domain)
    # The address of a mail server in place of a name.
    try:
        address = ip_address(domain.strip("[]").casefold().removeprefix("ipv6:"))
    except ValueError:
        return domain.casefold()
    return f"[{address}]"
