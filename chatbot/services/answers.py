"""The life of an answer's row: taken, asked, answering, over, closed.

Every step is one conditional statement that only the worker whose row it is can make, so
that of two that both believe to have it one goes on and the other stops. What decides is
the database's clock, not that of a machine.
"""

from collections.abc import Collection
from datetime import timedelta

from django.conf import settings
from django.db import transaction
from django.db.models import Q, QuerySet
from django.db.models.expressions import CombinedExpression
from django.db.models.functions import Now
from django.utils import timezone

from chatbot.models import Answer, Bot
from chatbot.selectors import is_taken, open_answers
from chatbot.services.budgets import is_over_budget
from common import metrics

Status = Answer.Status


def bots_with_work() -> set[int]:
    """The bots that have a question to take, or an answer that somebody left: one read."""
    left = Q(status=Status.WAITING) | Q(heartbeat_at__lt=_silent())
    return set(Answer.objects.filter(left, open=True).order_by().values_list("bot_id", flat=True))


@transaction.atomic
def take_next(bot_id: int, worker: str) -> Answer | None:
    """Take the bot's oldest question, marked as asked or, over budget, as refused.

    One at a time in a conversation, so that answers come in the order of the questions.
    All takes of a bot happen one after the other under its row's lock: a budget counts
    every question before this one.
    """
    bot = Bot.objects.select_for_update(no_key=True, of=("self",)).filter(id=bot_id).first()
    if bot is None or not bot.enabled:
        return None
    busy = open_answers(bot_id).filter(is_taken()).values("conversation_id")
    waiting = open_answers(bot_id).filter(status=Status.WAITING)
    answer = waiting.exclude(conversation_id__in=busy).order_by("id").first()
    if answer is None:
        return None
    answer.worker = worker
    if answer.cancel_asked:
        answer.status = Status.CANCELLED
    elif is_over_budget(bot, answer):
        answer.status, answer.fault = Status.REFUSED, "budget"
    else:
        # From here on it is never asked again, whatever happens.
        answer.status, answer.asked_at = Status.ASKED, timezone.now()
        metrics.BOT_ASKED.inc()
    answer.save(update_fields=["worker", "status", "fault", "asked_at"])
    Answer.objects.filter(id=answer.id).update(heartbeat_at=Now())
    return _whole(answer.id)


def take_over(bot_id: int, worker: str) -> Answer | None:
    """Take an answer whose worker has been silent for too long. It is not asked again."""
    left = open_answers(bot_id).filter(is_taken(), heartbeat_at__lt=_silent())
    for id in left.order_by("id").values_list("id", flat=True)[:1]:
        if left.filter(id=id).update(worker=worker, heartbeat_at=Now()):
            return _whole(id)
    return None


def give_back(answer: Answer) -> None:
    """Its end is decided, but cannot be said now: whoever comes next may say it."""
    _mine(answer).update(heartbeat_at=Now() - timedelta(seconds=settings.CHATBOT_LEASE_SECONDS / 2))


def keep(worker: str, ids: Collection[int]) -> None:
    """Say that this worker is still at these."""
    if ids:
        Answer.objects.filter(id__in=ids, open=True, worker=worker).update(heartbeat_at=Now())


def save_text(answer: Answer, text: str) -> bool:
    """Keep what there is so far. False when the row is another's, or over."""
    going = _mine(answer).filter(status__in=(Status.ASKED, Status.ANSWERING))
    return bool(going.update(status=Status.ANSWERING, text=text, heartbeat_at=Now()))


def end(answer: Answer, status: Answer.Status, text: str, fault: str = "") -> bool:
    """Decide how it ends and what the message says. False when the row is another's."""
    changes = {"status": status, "text": text, "fault": fault}
    # Said again after the database was away, it is the same end.
    going = _mine(answer).filter(Q(ended_at=None) | Q(**changes))
    if not going.update(**changes, ended_at=timezone.now(), heartbeat_at=Now()):
        return False
    answer.status, answer.text, answer.fault = status, text, fault
    return True


def close(answer: Answer, seq: int | None) -> None:
    """The message is at this place, or there will be none."""
    Answer.objects.filter(id=answer.id, open=True).update(
        open=False, text="", seq=seq, fault=answer.fault
    )


def read_state(answer: Answer) -> tuple[bool, int]:
    """Whether it is to be cancelled, and the conversation's head."""
    row = Answer.objects.filter(id=answer.id).values_list("cancel_asked", "conversation__last_seq")
    cancel, head = row.get()
    return cancel, head


def _silent() -> CombinedExpression:
    """Whoever was last heard before this is not there any more."""
    return Now() - timedelta(seconds=settings.CHATBOT_LEASE_SECONDS)


def _mine(answer: Answer) -> QuerySet[Answer]:
    return Answer.objects.filter(id=answer.id, open=True, worker=answer.worker)


def _whole(id: int) -> Answer:
    return Answer.objects.select_related("bot__user", "conversation").get(id=id)
