"""E-mail addresses: whose one is, proved by a code that was mailed there.

With EMAIL_CONFIRMATION an address belongs to nobody until then. Several accounts may
wait for the same one; the first to confirm it has it.
"""

import structlog
from django.conf import settings
from django.db import IntegrityError, transaction

from accounts.choices import CodeKind
from accounts.feed import bump_feeds, lock_users
from accounts.mail import queue
from accounts.mail.messages import count_mail, link_to, send_mail
from accounts.models import User
from accounts.names import email_key
from accounts.services.codes import find_code, issue_code, seconds_of, spend_code
from common.addresses import address_key
from common.errors import Conflict
from common.limits import window

log = structlog.get_logger(__name__)


def take_email(user: User, email: str) -> None:
    """Give a locked user, not saved yet, an address: at once, or once it is confirmed."""
    if settings.EMAIL_CONFIRMATION:
        user.pending_email = "" if email_key(email) == user.email_key else email
        mail_confirmation(user.id)
    else:
        user.email, user.email_key, user.pending_email = email, email_key(email), ""
    # Codes go with the address they were meant for.
    user.mail_codes.all().delete()


def mail_confirmation(user_id: int) -> None:
    """Mail a code to the address of this user that waits for one, if there is one by then."""
    queue.after_commit(lambda: _mail_confirmation(user_id))


def _mail_confirmation(user_id: int) -> None:
    kind = CodeKind.CONFIRM_EMAIL
    with transaction.atomic():
        user = lock_users([user_id]).get(user_id)
        address = user.unconfirmed_email if user else ""
        if user is None or not address:
            return
        count_mail(kind, address)
        code = issue_code(user=user, kind=kind, address=address)
    send_mail(
        kind,
        address,
        username=user.username,
        code=code,
        link=link_to("confirm-email", code),
        hours=max(1, seconds_of(kind) // 3600),
    )


def resend_confirmation(*, user: User, address: str | None = None) -> None:
    """Mail another code. RateLimited; Conflict when no address waits for one."""
    count_mail_request(address)
    if not user.unconfirmed_email:
        raise Conflict("Your address is confirmed.")
    mail_confirmation(user.id)


def count_mail_request(address: str | None) -> None:
    """Count a request that leads to a mail. RateLimited."""
    if address:
        window.hit(settings.MAIL_REQUESTS_PER_ADDRESS, "mail-request", address_key(address))


@transaction.atomic
def confirm_email(*, code: str) -> None:
    """Let a user have the address a code was mailed to.

    InvalidInput; Conflict when somebody else has confirmed it meanwhile.
    """
    row = find_code(code, CodeKind.CONFIRM_EMAIL)
    user = lock_users([row.user_id])[row.user_id]
    spend_code(row)
    user.email, user.email_key, user.pending_email = row.address, email_key(row.address), ""
    save_email(user)
    user.mail_codes.all().delete()
    bump_feeds([user.id])
    log.info("email_confirmed", user_id=str(user.id))


def save_email(user: User) -> None:
    """Store a locked user's address. Conflict when it is somebody else's."""
    try:
        with transaction.atomic():
            user.save(update_fields=["email", "email_key", "pending_email"])
    except IntegrityError as error:
        raise Conflict(fields={"email": "belongs to another account"}) from error
