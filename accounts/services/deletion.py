"""Deleting an account: emptied at once and for good. The row stays, messages point at it."""

import structlog
from django.contrib.auth.hashers import make_password
from django.db import transaction
from django.utils import timezone

from accounts.choices import EndReason
from accounts.models import MailCode, Notice, Session, Ticket, User
from accounts.services.locks import lock_account, retry_on_lock_conflict
from accounts.services.login import reauthenticate, wrong_password
from accounts.services.sessions import end_locked
from accounts.services.status_follow_up import follow_up_after_commit
from accounts.signals import user_deleted

log = structlog.get_logger(__name__)


def delete_account(*, user: User, password: str, address: str | None = None) -> None:
    """Delete the account of a user who knows its password. InvalidInput, RateLimited.

    Of two deletions at once both succeed.
    """
    reauthenticate(user=user, password=password, address=address)
    _delete(user.id, proved=user.password)


def erase_account(*, user_id: int) -> None:
    """Delete an account as an operator, whose word it is. NotFound."""
    _delete(user_id, proved=None)


@retry_on_lock_conflict
@transaction.atomic
def _delete(user_id: int, *, proved: str | None) -> None:
    user, sessions = lock_account(user_id)
    if user.deleted:
        return
    if proved is not None and user.password != proved:
        raise wrong_password()
    _empty(user)
    end_locked(sessions, EndReason.DELETED)
    user_deleted.send(sender=User, user_id=user_id)
    follow_up_after_commit(user_id)
    log.info("user_deleted", user_id=str(user_id))


def _empty(user: User) -> None:
    """Leave nothing of a locked user but the id and when they came and went."""
    # No username has a colon: nobody can register this one or log in by it.
    user.username = user.username_key = f"deleted:{user.id}"
    user.email = user.pending_email = user.display_name = user.about = ""
    user.email_key = user.last_login = None
    user.password = make_password(None)
    user.is_active = user.is_staff = user.is_superuser = False
    user.searchable = False
    user.time_zone = "UTC"
    user.deleted_at = timezone.now()
    user.save()
    user.groups.clear()
    user.user_permissions.clear()
    MailCode.objects.filter(user=user).delete()
    Notice.objects.filter(user=user).delete()
    Ticket.objects.filter(session__user=user).delete()
    # Ended, and kept: a ticket may be on its way that points at one.
    Session.objects.filter(user=user).update(
        device="", address=None, user_agent="", refresh_hash="", previous_refresh_hash=""
    )
