"""Notices: what a user should look at, in a list and by mail."""

from collections.abc import Iterator

from django.conf import settings
from django.db import transaction
from django.db.models import Exists, OuterRef, QuerySet
from django.utils import timezone

from accounts import selectors
from accounts.choices import NoticeKind
from accounts.feed import bump_feeds, lock_users
from accounts.mail import queue
from accounts.mail.messages import count_mail, send_mail
from accounts.models import ANNOUNCEMENT_MAX, Notice, Session, User
from common.batches import pages
from common.errors import NotFound
from common.text import clean_line

# Each of them reads their notices when their feed moves: not all of them at once.
_BROADCAST_BATCH = 200


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
        queue.after_commit(lambda: _mail(notice.id))


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


def who_hears(broadcast: str, username: str | None = None) -> QuerySet[User]:
    """Who will get an announcement of this name: who is here and has none. NotFound."""
    users = selectors.people_here()
    if username is not None:
        users = users.filter(id=selectors.access_user(username).id)
    return users.filter(~Exists(Notice.objects.filter(user_id=OuterRef("id"), broadcast=broadcast)))


def broadcast_notice(*, text: str, broadcast: str, username: str | None = None) -> Iterator[int]:
    """Announce something to everybody, or to one user; yields how many for each batch.

    Whoever has an announcement of this name is left out, so that it can be said again
    after it was broken off. InvalidInput, NotFound.
    """
    text = clean_line(text, "text", max_length=ANNOUNCEMENT_MAX)
    for page in pages(who_hears(broadcast, username), size=_BROADCAST_BATCH):
        yield _announce([row["pk"] for row in page], text, broadcast)


@transaction.atomic
def _announce(user_ids: list[int], text: str, broadcast: str) -> int:
    # Two of the same name at once wait here; the second finds nobody left.
    here = {id for id, user in lock_users(user_ids).items() if user.is_active}
    told = Notice.objects.filter(user_id__in=here, broadcast=broadcast)
    missing = here - set(told.values_list("user_id", flat=True))
    now = timezone.now()
    Notice.objects.bulk_create(
        Notice(
            user_id=user_id,
            kind=NoticeKind.ANNOUNCEMENT,
            text=text,
            broadcast=broadcast,
            created_at=now,
        )
        for user_id in sorted(missing)
    )
    bump_feeds(missing)
    return len(missing)


@transaction.atomic
def mark_notice_seen(*, user_id: int, notice_id: int) -> None:
    """Note that the user has seen one of their notices. NotFound."""
    own = selectors.list_notices(user_id).filter(id=notice_id)
    if own.filter(seen_at=None).update(seen_at=timezone.now()):
        bump_feeds([user_id])
    elif not own.exists():
        raise NotFound
