"""Which messages are questions to a bot, and what is asked. No database in here.

In a direct conversation with a bot everything is. In a group it is a message that names
the bot (`@assistant …`, anywhere in it) or begins with `/ask`.
"""

import re

from accounts.names import username_key

_MENTION = re.compile(r"(?<![\w@])@([\w.-]+)")
_COMMAND = re.compile(r"/ask(?=\s|$)", re.IGNORECASE)


def is_called(text: str, key: str, *, by_command: bool) -> bool:
    """Whether a message in a group is for the bot whose name has this key.

    `by_command` says whether this is the bot of the group that `/ask` is for.
    """
    if by_command and _COMMAND.match(text.lstrip()):
        return True
    return any(_names(match, key) for match in _MENTION.finditer(text))


def what_is_asked(text: str, key: str) -> str:
    """The question without the words that only call the bot."""
    text = text.strip()
    command = _COMMAND.match(text)
    if command:
        text = text[command.end() :].strip()
    mention = _MENTION.match(text)
    if mention and _names(mention, key):
        text = text[mention.end() :].lstrip(" \t\n,:;")
    return text


def _names(mention: re.Match[str], key: str) -> bool:
    # What ends a sentence does not end a name.
    return username_key(mention[1].rstrip("_.-")) == key
