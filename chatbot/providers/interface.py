"""What a provider is: something that turns a prompt into text, piece by piece."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal, Protocol

from chatbot.models import Answer


@dataclass(frozen=True, slots=True)
class Turn:
    """Something that was said before. `name` is who said it, for others than the bot."""

    role: Literal["user", "assistant"]
    name: str
    text: str


@dataclass(frozen=True, slots=True)
class Prompt:
    """A question and what the provider may know beside it: nothing of any other conversation.

    `turns` are in the order of the log and end with the question itself, whose text without
    the words that call the bot is `question`.
    """

    bot_name: str
    asker_name: str
    asker_time_zone: str
    is_group: bool
    question: str
    turns: list[Turn]
    now: datetime
    answer: Answer
    model: str = ""
    system: str = field(default="", repr=False)


class Provider(Protocol):
    """One way to answer."""

    def answer(self, prompt: Prompt) -> Iterator[str | None]:
        """The text in pieces; None says that something came, but no text. Raises ProviderFault.

        Runs in a thread of its own, which may be left behind when it takes too long: it
        must end by itself. Holds no database connection while it waits for anything.
        """
