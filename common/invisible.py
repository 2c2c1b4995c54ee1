"""Characters that draw nothing: which they are, and where they belong all the same.

A name made of nothing else looks like no name, and one that holds some looks like another
name. But a few of them are part of how words are written: joiners in Persian and in the
scripts of India, joiners and variation selectors in emoji.

Source: Unicode Standard, `Default_Ignorable_Code_Point` (DerivedCoreProperties.txt), which
Python does not know; RFC 5892, appendix A (where joiners belong); Unicode Technical
Standard 51, section 1.4 (emoji sequences).
"""

import re
import unicodedata

_IGNORED = (
    "\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e"
    "\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufff8"
    "\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff"
)
# Not ignorable and blank all the same: an empty pattern of Braille, a note without a head,
# what annotations stand between, what stands for an object that is not there.
_BLANK = "\u2800\ufdd0-\ufdef\ufff9-\ufffc\ufffe\uffff\U0001d159"

# Each font draws something else, and most nothing: private use, and what is no character.
_PRIVATE = re.compile(
    "[\ue000-\uf8ff\U000f0000-\U0010ffff"
    + "".join(
        f"{chr(plane + 0xFFFE)}{chr(plane + 0xFFFF)}" for plane in range(0, 0x110000, 0x10000)
    )
    + "]"
)

IGNORED = re.compile(f"[{_IGNORED}]")
_NOTHING = re.compile(f"[{_IGNORED}{_BLANK}]")
_OUTER = re.compile(rf"^[\s{_IGNORED}{_BLANK}]+|[\s\u3164\uffa0\u115f\u1160{_BLANK}]+$")
# In one line of a name. Fillers of Hangul stand before or after the letters they fill in for.
_REMOVED = re.compile(
    "[\u00ad\u034f\u061c\u17b4\u17b5\u180e\u200b\u200e\u200f\u202a-\u202e\u2060-\u206f"
    "\u3164\ufeff\uffa0\ufff0-\ufffb\U0001bca0-\U0001bca3\U0001d173-\U0001d17a"
    "\U000e01f0-\U000e0fff]"
)
# A flag of a part of a country: a black flag, letters of tags, and the tag that ends it.
_TAGS = re.compile(
    "(?P<flag>\U0001f3f4[\U000e0020-\U000e007e]+\U000e007f)|[\U000e0000-\U000e00ff]+"
)
_JOINERS = "\u200c\u200d"
_JOINER = re.compile(f"[{_JOINERS}]")
_SELECTOR = re.compile("[\u180b-\u180d\u180f\ufe00-\ufe0f\U000e0100-\U000e01ef]")
# What a joiner may follow: letters without capitals, marks, and symbols that are pictures.
_BEFORE_JOINER = frozenset({"Lo", "Mn", "Mc", "So", "Sk"})
_MARKS = frozenset({"Mn", "Mc", "Me"})
# Burmese has syllables with so many; those that go with any letter need four at most
# (Unicode Technical Standard 39, section 5.4).
_MARKS_MAX = 5


def draws_nothing(text: str) -> bool:
    """Whether a reader sees no character of its own in this text: marks alone are none."""
    if text.isascii():
        return not text.strip()
    # Of nearly every text the first character ends this.
    return all(
        unicodedata.category(character)[0] in "MZ"
        or character.isspace()
        or _NOTHING.match(character)
        for character in text
    )


def names_nothing(text: str) -> bool:
    """Whether this is nobody's name: it draws nothing, or on every device something else.

    What Unicode has not assigned may be a letter or an emoji that is newer than Python.
    """
    return draws_nothing(text if text.isascii() else _PRIVATE.sub("", text))


def without_invisible(text: str) -> str:
    """One line without what draws nothing, but for what belongs to the words in it."""
    if text.isascii():
        return text.strip()
    text = _TAGS.sub(lambda found: found["flag"] or "", _REMOVED.sub("", text))
    kept: list[str] = []
    for character in text:
        if _JOINER.match(character):
            belongs = bool(kept) and _may_precede_joiner(kept[-1])
        elif _SELECTOR.match(character):
            belongs = bool(kept) and not kept[-1].isspace() and not _SELECTOR.match(kept[-1])
        else:
            belongs = True
        if belongs:
            kept.append(character)
    return _OUTER.sub("", "".join(kept))


def _may_precede_joiner(character: str) -> bool:
    # The last is the tag that ends a flag.
    return unicodedata.category(character) in _BEFORE_JOINER or character == "\U000e007f"


def piles_marks(text: str) -> bool:
    """Whether marks stand on a character as no writing needs them: too many, or one twice."""
    here: list[str] = []
    for character in unicodedata.normalize("NFD", text):
        here = [*here, character] if unicodedata.category(character) in _MARKS else []
        if len(here) > _MARKS_MAX or here[-2:] == [character, character]:
            return True
    return False
