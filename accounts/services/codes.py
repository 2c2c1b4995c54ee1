"""Codes that are mailed: made for a user and an address, good once, for a while."""

from datetime import timedelta

from django.conf import settings
from django.utils import timezone

from accounts.choices import CodeKind
from accounts.models import MailCode, User
from accounts.tokens import hash_of, new_secret
from common.errors import InvalidInput
from common.text import normal_code


def issue_code(*, user: User, kind: CodeKind, address: str) -> str:
    """A new code for a locked user. Those mailed before stay good."""
    now = timezone.now()
    # Nobody else ever looks at what was not spent in time.
    user.mail_codes.filter(expires_at__lte=now).delete()
    code = new_secret()
    user.mail_codes.create(
        hash=hash_of(code),
        kind=kind,
        address=address,
        expires_at=now + timedelta(seconds=seconds_of(kind)),
    )
    return code


def seconds_of(kind: CodeKind) -> int:
    """How long a code of this kind is good."""
    if kind == CodeKind.CONFIRM_EMAIL:
        return int(settings.EMAIL_CODE_SECONDS)
    return int(settings.PASSWORD_RESET_SECONDS)


def find_code(code: str, kind: CodeKind) -> MailCode:
    """The code with its user, still unspent. InvalidInput."""
    found = MailCode.objects.select_related("user").filter(
        hash=hash_of(normal_code(code)), kind=kind, expires_at__gt=timezone.now()
    )
    row = found.first()
    if row is None:
        raise _invalid()
    return row


def spend_code(row: MailCode) -> None:
    """Spend a code that was found, under the lock of its user. Of many, one succeeds. InvalidInput."""
    deleted, _ = MailCode.objects.filter(hash=row.hash).delete()
    if not deleted:
        raise _invalid()


def _invalid() -> InvalidInput:
    return InvalidInput(fields={"code": "is not valid, or not any more"})
