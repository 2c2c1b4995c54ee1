"""How long reports keep what people wrote.

What was said is copied into a report, so that it can be judged when the author has deleted
it. The copies go, in this order of strength: with everything somebody wrote, when they are
erased; EVIDENCE_DAYS after the report was made, whatever became of it; and with the
messages themselves under retention, once the report is closed. The report stays, with who,
where, when and how it ended.
"""

from collections.abc import Callable, Collection, Iterator
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils import timezone

from common.batches import pages
from common.times import iso_milliseconds
from conversations.models import Conversation
from conversations.selectors.authored import conversations_of
from moderation.models import Report

BATCH = 200


def forget_texts_of(user_id: int, *, answers: Collection[tuple[int, int]]) -> Iterator[int]:
    """Empty what this user wrote in the evidence of all reports; yields how many of each batch.

    And what was answered them: `answers` holds the conversation and seq of each such message.
    """
    reports = Report.objects.filter(conversation_id__in=conversations_of(user_id))

    def is_theirs(message: dict[str, Any]) -> bool:
        place = int(message["conversation_id"]), message["seq"]
        return message["sender_id"] == str(user_id) or place in answers

    yield from _empty(reports, is_theirs)


def forget_texts_before(kind: str, moment: datetime) -> Iterator[int]:
    """Empty what was written earlier in conversations of this kind, in reports that are closed."""
    before = iso_milliseconds(moment)
    reports = Report.objects.filter(
        conversation_id__in=Conversation.objects.filter(kind=kind).values("id")
    ).exclude(status=Report.Status.OPEN)
    yield from _empty(reports, lambda message: message["created_at"] < before)


def expired_evidence() -> QuerySet[Report]:
    """Reports that are older than EVIDENCE_DAYS and still say what somebody wrote."""
    if not settings.EVIDENCE_DAYS:
        return Report.objects.none()
    before = timezone.now() - timedelta(days=settings.EVIDENCE_DAYS)
    return Report.objects.filter(created_at__lt=before).exclude(
        Q(evidence={}) & Q(comment="") & Q(note="")
    )


def forget_expired() -> Iterator[int]:
    """Empty evidence, comments and notes of those reports; yields how many of each batch."""
    for page in pages(expired_evidence(), size=BATCH):
        ids = [row["pk"] for row in page]
        Report.objects.filter(id__in=ids).update(evidence={}, comment="", note="")
        yield len(ids)


def _empty(reports: QuerySet[Report], applies: Callable[[dict[str, Any]], bool]) -> Iterator[int]:
    for page in pages(reports.filter(kind=Report.Kind.MESSAGE), size=BATCH):
        yield _empty_batch([row["pk"] for row in page], applies)


@transaction.atomic
def _empty_batch(ids: list[int], applies: Callable[[dict[str, Any]], bool]) -> int:
    emptied = 0
    now = iso_milliseconds(timezone.now())
    rows = Report.objects.filter(id__in=ids).order_by("id").select_for_update(no_key=True)
    for report in rows:
        form_data = report.evidence.get("messages", [])
        full = [m for m in form_data if applies(m) and (m["text"] or m["system"])]
        for message in full:
            message |= {"text": "", "system": None, "deleted_at": message["deleted_at"] or now}
        if full:
            report.save(update_fields=["evidence"])
        emptied += len(full)
    return emptied
