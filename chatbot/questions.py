"""Which messages are questions to a bot, and what is asked. No database in here.

In a direct conversation with a bot everything is. In a group it is a message that names
the bot (`@assistant …`, anywhere in it) or begins with `/ask`.
"""

import re
import unicodedata
from collections.abc import Iterator
from itertools import takewhile
from typing import NamedTuple

from accounts.names import username_key

# In full width, too, as keyboards of East Asia type them.
_AT = re.compile("(?<![\\w@\uff20])[@\uff20]")
_COMMAND = re.compile("[/\uff0f](?:ask|\uff41\uff53\uff4b)(?=\\s|$)", re.IGNORECASE)
_IN_NAMES = frozenset("_.-\u200c\u200d")


class _Mention(NamedTuple):
    """A name behind an @, and where in the text both stand."""

    name: str
    start: int
    end: int


def is_called(text: str, key: str, *, by_command: bool) -> bool:
    """Whether a message in a group is for the bot whose name has this key.

    `by_command` says whether this is the bot of the group that `/ask` is for.
    """
    if by_command and _COMMAND.match(text.lstrip()):
        return True
    return any(_names(mention, key) for mention in _mentions(text))


def what_is_asked(text: str, key: str) -> str:
    """The question without the words that only call the bot."""
    text = text.strip()
    command = _COMMAND.match(text)
    if command:
        text = text[command.end() :].strip()
    mention = next(_mentions(text), None)
    if mention and mention.start == 0 and _names(mention, key):
        text = text[mention.end :].lstrip(" \t\n,:;")
    return text


def _mentions(text: str) -> Iterator[_Mention]:
    for found in _AT.finditer(text):
        name = "".join(takewhile(_may_stand_in_name, text[found.end() :]))
        if name:
            yield _Mention(name, found.start(), found.end() + len(name))


def _may_stand_in_name(character: str) -> bool:
    # Vowel signs are marks, which `\w` does not know.
    return (
        character.isalnum() or character in _IN_NAMES or unicodedata.category(character)[0] == "M"
    )


def _names(mention: _Mention, key: str) -> bool:
    # What ends a sentence does not end a name.
    return username_key(mention.name.rstrip("_.-")) == key
