"""What users say of themselves, whom they show it to, and the address they are written to."""

from functools import cache
from typing import Any
from zoneinfo import available_timezones

import structlog
from django.db import transaction

from accounts.feed import bump_feeds, lock_users
from accounts.models import User
from accounts.names import ABOUT_MAX, DISPLAY_NAME_MAX, clean_email
from accounts.services.emails import count_mail_request, save_email, take_email
from accounts.services.login import reauthenticate, wrong_password
from common.errors import InvalidInput, SessionEnded
from common.text import clean_line, clean_text

log = structlog.get_logger(__name__)


def update_profile(
    *,
    user: User,
    email: str | None = None,
    password: str | None = None,
    address: str | None = None,
    **changes: Any,
) -> User:
    """Change some of a user's own fields; the user as they are now.

    `changes` may name display_name, about, time_zone, about_for, last_seen_for,
    groups_for, searchable and read_receipts. A new `email` needs the password, and with
    EMAIL_CONFIRMATION waits for its confirmation. InvalidInput, Conflict, RateLimited.
    """
    _clean(changes)
    if email is not None:
        email = clean_email(email)
        if password is None:
            raise InvalidInput(fields={"password": "is needed to change the address"})
        count_mail_request(address)
        reauthenticate(user=user, password=password, address=address)
    return _update(user, email, changes)


@transaction.atomic
def _update(before: User, email: str | None, changes: dict[str, Any]) -> User:
    user = lock_users([before.id])[before.id]
    if not user.is_active:
        raise SessionEnded
    for name, value in changes.items():
        setattr(user, name, value)
    user.save(update_fields=list(changes))
    if email is not None:
        if user.password != before.password:
            raise wrong_password()
        take_email(user, email)
        save_email(user)
        log.info("email_changed", user_id=str(user.id))
    bump_feeds([user.id])
    return user


def _clean(changes: dict[str, Any]) -> None:
    """Bring these values into the form they are stored in. InvalidInput."""
    if changes.get("display_name"):
        changes["display_name"] = clean_line(
            changes["display_name"], "display_name", max_length=DISPLAY_NAME_MAX
        )
    if changes.get("about"):
        changes["about"] = clean_text(changes["about"], "about")
        if len(changes["about"]) > ABOUT_MAX:
            raise InvalidInput(fields={"about": f"is longer than {ABOUT_MAX} characters"})
    if changes.get("time_zone", "UTC") not in _time_zones():
        raise InvalidInput(fields={"time_zone": "is not the name of a time zone"})


@cache
def _time_zones() -> set[str]:
    return available_timezones()
