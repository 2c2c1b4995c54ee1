"""Reports: made by users, upheld or dismissed by moderators."""

from contextlib import suppress
from typing import Any

import msgspec
from django.conf import settings
from django.db import IntegrityError, transaction
from django.utils import timezone

from accounts.models import User
from common.errors import Conflict, InvalidInput, NotFound
from common.ids import MAX_ID
from common.limits import window
from common.text import clean_text
from contacts.selectors import access_card
from conversations.selectors.log import access_page_before
from moderation.models import COMMENT_MAX, Action, Report, Target
from moderation.services.audit import clean_reason, record
from moderation.services.messages import delete_message
from moderation.services.users import ban_user

# The reported message, and what was said just before it.
EVIDENCE_MESSAGES = 6


def report_message(
    *, reporter: User, conversation_id: int, seq: int, reason: str, comment: str = ""
) -> tuple[Report, bool]:
    """Report a message that the reporter can see; False if their report of it is open already.

    InvalidInput for one's own, NotFound, RateLimited.
    """
    page = access_page_before(
        user_id=reporter.id,
        conversation_id=conversation_id,
        before=min(seq + 1, MAX_ID),
        limit=EVIDENCE_MESSAGES,
    )
    if not page.messages or page.messages[-1].seq != seq:
        raise NotFound
    return _file(
        reporter,
        {"kind": Report.Kind.MESSAGE, "conversation_id": conversation_id, "seq": seq},
        user_id=int(page.messages[-1].sender_id),
        reason=reason,
        comment=comment,
        evidence={"messages": [msgspec.to_builtins(message) for message in page.messages]},
    )


def report_user(
    *, reporter: User, user_id: int, reason: str, comment: str = ""
) -> tuple[Report, bool]:
    """Report somebody who is here for the reporter; as above."""
    card = access_card(viewer_id=reporter.id, user_id=user_id)
    return _file(
        reporter,
        {"kind": Report.Kind.USER},
        user_id=user_id,
        reason=reason,
        comment=comment,
        evidence={
            "user": {
                "username": card.username,
                "display_name": card.display_name,
                "about": card.about,
            }
        },
    )


def _file(
    reporter: User,
    place: dict[str, Any],
    *,
    user_id: int,
    reason: str,
    comment: str,
    evidence: dict[str, Any],
) -> tuple[Report, bool]:
    if user_id == reporter.id:
        raise InvalidInput("You cannot report yourself.")
    comment = comment and clean_text(comment, "comment")
    if len(comment) > COMMENT_MAX:
        raise InvalidInput(fields={"comment": f"is longer than {COMMENT_MAX} characters"})
    mine = Report.objects.filter(
        reporter=reporter, user_id=user_id, status=Report.Status.OPEN, **place
    )
    known = mine.first()
    if known is not None:
        return known, False
    window.hit(settings.REPORTS_PER_USER, "report", str(reporter.id))
    try:
        with transaction.atomic():
            return (
                Report.objects.create(
                    reporter=reporter,
                    user_id=user_id,
                    reason=reason,
                    comment=comment,
                    evidence=evidence,
                    **place,
                ),
                True,
            )
    except IntegrityError:
        # The same request twice at once: the other one was stored.
        known = mine.first()
        if known is None:
            raise
        return known, False


@transaction.atomic
def uphold_report(
    *, actor: User, report_id: int, note: str, deletes: bool = False, bans: bool = False
) -> None:
    """Find that a report is right; delete its message and ban its user where that is said.

    What of that was done before is done. NotFound, Forbidden, Conflict for a report that
    is no longer open, which then undoes the rest.
    """
    report = _open_report(report_id)
    # In the order of locks: users before conversations.
    if bans:
        with suppress(Conflict):
            ban_user(actor=actor, user_id=report.user_id, reason=note)
    if deletes and report.conversation_id is not None and report.seq is not None:
        with suppress(Conflict):
            delete_message(
                actor=actor, conversation_id=report.conversation_id, seq=report.seq, reason=note
            )
    _close(actor, report, Report.Status.UPHELD, Action.REPORT_UPHELD, note)


@transaction.atomic
def dismiss_report(*, actor: User, report_id: int, note: str) -> None:
    """Find that there is nothing to be done about a report. NotFound, Conflict."""
    report = _open_report(report_id)
    _close(actor, report, Report.Status.DISMISSED, Action.REPORT_DISMISSED, note)


def _open_report(report_id: int) -> Report:
    report = Report.objects.filter(id=report_id).first()
    if report is None:
        raise NotFound
    if report.status != Report.Status.OPEN:
        raise Conflict("Somebody has handled this report.")
    return report


def _close(actor: User, report: Report, status: Report.Status, action: Action, note: str) -> None:
    """The last step: its lock is taken after those of users and conversations."""
    note = clean_reason(note)
    closed = Report.objects.filter(id=report.id, status=Report.Status.OPEN).update(
        status=status, handled_by=actor, handled_at=timezone.now(), note=note
    )
    if not closed:
        raise Conflict("Somebody has handled this report.")
    record(actor=actor, action=action, target=(Target.REPORT, report.id), reason=note)
