"""The assistant that is always there: modest, honest, and without any network.

It says that no AI provider is configured, and does a few things by plain rules. Each is a
pattern and a function in COMMANDS; the first that fits answers.
"""

import re
import secrets
from collections.abc import Callable, Iterator
from zoneinfo import ZoneInfo

from chatbot.database import database
from chatbot.providers.interface import Prompt
from chatbot.providers.summary import summarise
from chatbot.providers.times import NoTime, read_reminder
from chatbot.questions import is_called
from chatbot.selectors import visible_to_both
from chatbot.services.reminders import TooManyReminders, make_reminder

DICE_MAX = 20
SIDES_MAX = 1_000
FOUND_MAX = 5
# How far back a search looks, in positions of the log.
SEARCH_SPAN = 5_000
SHOWN_CHARACTERS = 200

HELP = """\
I am a simple assistant. No AI provider is configured on this server, so I answer by a few \
plain rules:

help: this list
summary: what the last messages were about
search <words>: find messages of this conversation
roll 2d6: throw dice
remind me in 10 minutes to <do something>, remind me at 18:00 to <do something>
time: what time it is for you

In a group begin with /ask or mention me."""


class EmbeddedProvider:
    """Rules instead of a model."""

    def answer(self, prompt: Prompt) -> Iterator[str | None]:
        """See Provider."""
        for pattern, command in COMMANDS:
            found = pattern.match(prompt.question)
            if found:
                yield command(prompt, found)
                return
        yield _honest(prompt)


def _help(prompt: Prompt, _found: re.Match[str]) -> str:
    return HELP


def _summary(prompt: Prompt, _found: re.Match[str]) -> str:
    key = prompt.answer.bot.user.username_key
    # Neither what I said nor, among people, what was said to me.
    said = [
        turn
        for turn in prompt.turns[:-1]
        if turn.role == "user"
        and not (prompt.is_group and is_called(turn.text, key, by_command=True))
    ]
    points = summarise([(turn.name, turn.text) for turn in said])
    if not points:
        return "There is nothing to sum up yet."
    lines = "\n".join(f"- {name}: {sentence}" for name, sentence in points)
    return f"From the last {len(said)} messages, in their own words:\n{lines}"


def _search(prompt: Prompt, found: re.Match[str]) -> str:
    words = found["words"].strip(" \"'")
    if not words:
        return "Tell me what to look for: search <words>."
    answer = prompt.answer
    with database():
        messages = visible_to_both(
            user_id=answer.asker_id,
            bot_user_id=answer.bot.user_id,
            conversation_id=answer.conversation_id,
        ).filter(
            seq__lt=answer.question_seq,
            seq__gt=answer.question_seq - SEARCH_SPAN,
            text__icontains=words,
        )
        hits = list(
            messages.exclude(sender_id=answer.bot.user_id)
            .order_by("-seq")
            .values_list("sender__username", "created_at", "text")[: FOUND_MAX + 1]
        )
    if not hits:
        return f"I found nothing with “{_short(words)}” in this conversation."
    zone = _zone_of(prompt)
    lines = [
        f"- {name}, {at.astimezone(zone):%d %b %H:%M}: {_short(text)}"
        for name, at, text in hits[:FOUND_MAX]
    ]
    more = "\n… and older ones." if len(hits) > FOUND_MAX else ""
    return f"Messages with “{_short(words)}”, the newest first:\n" + "\n".join(lines) + more


def _roll(prompt: Prompt, found: re.Match[str]) -> str:
    count, sides = int(found["count"] or 1), int(found["sides"] or 6)
    if not 1 <= count <= DICE_MAX or not 2 <= sides <= SIDES_MAX:
        return f"I have {DICE_MAX} dice of at most {SIDES_MAX} sides."
    thrown = [secrets.randbelow(sides) + 1 for _ in range(count)]
    total = f" = {sum(thrown)}" if count > 1 else ""
    return f"{count}d{sides}: {' + '.join(map(str, thrown))}{total}"


def _remind(prompt: Prompt, found: re.Match[str]) -> str:
    zone = _zone_of(prompt)
    try:
        due_at, text = read_reminder(found["rest"], prompt.now.astimezone(zone))
    except NoTime as error:
        return str(error)
    try:
        with database():
            make_reminder(answer=prompt.answer, due_at=due_at, text=text)
    except TooManyReminders:
        return "You have enough reminders already. I can take more once some are over."
    return f"I will remind you on {due_at:%d %b at %H:%M} ({zone.key}): {text}"


def _time(prompt: Prompt, _found: re.Match[str]) -> str:
    zone = _zone_of(prompt)
    return f"It is {prompt.now.astimezone(zone):%A, %d %B %Y, %H:%M} ({zone.key})."


def _honest(prompt: Prompt) -> str:
    asked = f" You said: “{_short(prompt.question)}”." if prompt.question else ""
    return (
        "I cannot answer that: no AI provider is configured on this server."
        f'{asked} Say "help" for what I can do.'
    )


def _short(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= SHOWN_CHARACTERS else text[: SHOWN_CHARACTERS - 1] + "…"


def _zone_of(prompt: Prompt) -> ZoneInfo:
    return ZoneInfo(prompt.asker_time_zone)


def _pattern(text: str) -> re.Pattern[str]:
    return re.compile(text, re.IGNORECASE | re.DOTALL)


COMMANDS: tuple[tuple[re.Pattern[str], Callable[[Prompt, re.Match[str]], str]], ...] = (
    (_pattern(r"/?(help|what can you do)\b"), _help),
    (_pattern(r"(please )?(summar(y|i[sz]e)|sum up|what did i miss)\b"), _summary),
    (_pattern(r"(search|find)( for)?\b(?P<words>.*)"), _search),
    (_pattern(r"(roll|dice|throw)\b( a)?\s*(?P<count>\d{1,4})?\s*(d(?P<sides>\d{1,5}))?"), _roll),
    (_pattern(r"remind( me)?\b(?P<rest>.*)"), _remind),
    (_pattern(r"(what('s| is) the )?(time|date)\b|what time is it\b"), _time),
)
