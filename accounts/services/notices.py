"""Notices: what a user should look at, in a list and by mail."""

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from accounts import post_office, selectors
from accounts.feed import bump_feeds
from accounts.mails import count_mail, send_mail
from accounts.models import Notice, NoticeKind, Session
from chatbe.core.errors import NotFound


def notice_new_device(session: Session) -> None:
    """Tell a user of a login, within the transaction that begins its session."""
    _notice(NoticeKind.NEW_DEVICE, session, session.address, session.user_agent)


def notice_refresh_reuse(session: Session, *, address: str | None, user_agent: str) -> None:
    """Tell a user of a session that ended because an old token of it came from this address."""
    _notice(NoticeKind.REFRESH_REUSE, session, address, user_agent)


def _notice(kind: NoticeKind, session: Session, address: str | None, user_agent: str) -> None:
    # The feed moves with the session that began or ended.
    notice = Notice.objects.create(
        user_id=session.user_id,
        kind=kind,
        session_id=session.id,
        device=session.device,
        address=address,
        user_agent=user_agent,
        created_at=timezone.now(),
    )
    if settings.EMAIL_URL:
        post_office.after_commit(lambda: _mail(notice.id))


def _mail(notice_id: int) -> None:
    notice = Notice.objects.select_related("user").filter(id=notice_id).first()
    if notice is None or not notice.user.email_confirmed:
        return
    count_mail(notice.kind, notice.user.email)
    send_mail(
        notice.kind,
        notice.user.email,
        username=notice.user.username,
        time=f"{notice.created_at:%Y-%m-%d %H:%M}",
        address=notice.address or "unknown",
    )


@transaction.atomic
def mark_notice_seen(*, user_id: int, notice_id: int) -> None:
    """Note that the user has seen one of their notices. NotFound."""
    own = selectors.list_notices(user_id).filter(id=notice_id)
    if own.filter(seen_at=None).update(seen_at=timezone.now()):
        bump_feeds([user_id])
    elif not own.exists():
        raise NotFound
