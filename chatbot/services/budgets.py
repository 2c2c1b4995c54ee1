"""How much may be asked in a day: counted from the rows, so that nothing else can disagree."""

from datetime import UTC, datetime

from django.conf import settings
from django.db.models import Count, Q

from chatbot.models import Answer, Bot


def is_over_budget(bot: Bot, answer: Answer) -> bool:
    """Whether this question is one too many today (in UTC). Under the bot's lock."""
    today = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    asked = Answer.objects.filter(bot=bot, asked_at__gte=today).aggregate(
        day=Count("id"),
        user=Count("id", filter=Q(asker_id=answer.asker_id)),
        conversation=Count("id", filter=Q(conversation_id=answer.conversation_id)),
    )
    budgets = {
        "day": _budget(bot.per_day, settings.CHATBOT_QUESTIONS_PER_DAY),
        "user": _budget(bot.per_user, settings.CHATBOT_QUESTIONS_PER_USER),
        "conversation": _budget(bot.per_conversation, settings.CHATBOT_QUESTIONS_PER_CONVERSATION),
    }
    return any(most and asked[name] >= most for name, most in budgets.items())


def _budget(own: int | None, setting: int) -> int:
    return setting if own is None else own
