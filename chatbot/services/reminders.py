"""Reminders: made once for a question, said once in the conversation they were asked for in."""

from datetime import datetime

from chatbot.models import Answer, Reminder
from chatbot.selectors import visible_to_both

OPEN_MAX = 50


class TooManyReminders(Exception):
    """Somebody has OPEN_MAX of them."""


def make_reminder(*, answer: Answer, due_at: datetime, text: str) -> None:
    """Note it. TooManyReminders."""
    if Reminder.objects.filter(answer__asker_id=answer.asker_id, open=True).count() >= OPEN_MAX:
        raise TooManyReminders
    Reminder.objects.get_or_create(answer=answer, defaults={"due_at": due_at, "text": text})


def is_still_wanted(reminder: Reminder) -> bool:
    """Whether whoever asked is still there, and so is what they asked."""
    answer = reminder.answer
    seen = visible_to_both(
        user_id=answer.asker_id,
        bot_user_id=answer.bot.user_id,
        conversation_id=answer.conversation_id,
    )
    return seen.filter(seq=answer.question_seq, sender__is_active=True).exists()


def close_reminder(reminder: Reminder) -> None:
    """It was said, or nobody is there to hear it."""
    Reminder.objects.filter(id=reminder.id).update(open=False, text="")
