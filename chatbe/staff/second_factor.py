"""The admin's second factor: after the password a code of an authenticator app.

Whoever has set it up is asked for a code at every login. With ADMIN_SECOND_FACTOR=required
everybody else sets it up before they see anything. Ten codes on paper, each good once, stand
in for a phone that is lost. Wrong codes have to be waited off, longer each time.

Source: RFC 6238 (time-based one-time passwords), by django-otp.
"""

from base64 import b32encode
from typing import Any

import segno
import structlog
from django.conf import settings
from django.db import transaction
from django.dispatch import receiver
from django_otp import match_token
from django_otp.plugins.otp_static.models import StaticDevice, StaticToken
from django_otp.plugins.otp_totp.models import TOTPDevice

from accounts.models import User
from accounts.services import end_admin_logins
from accounts.signals import user_deleted
from common.batches import UserDataExport

log = structlog.get_logger(__name__)

RECOVERY_CODES = 10

USER_DATA = (
    UserDataExport(
        "second_factors",
        ("name", "confirmed", "created_at", "last_used_at"),
        lambda user_id: TOTPDevice.objects.filter(user_id=user_id),
    ),
)


def awaits_code(user: Any) -> bool:
    """Whether somebody who has logged in by password has to do more before they are let in."""
    if user.is_verified():
        return False
    return settings.ADMIN_SECOND_FACTOR == "required" or is_set_up(user)


def is_set_up(user: Any) -> bool:
    """Whether they have an app whose codes count. There is no paper without one."""
    found: bool = TOTPDevice.objects.filter(user_id=user.pk, confirmed=True).exists()
    return found


def check_code(user: User, code: str) -> Any:
    """The device whose code this is, now used up; None if it is nobody's, or came too soon."""
    device = match_token(user, code)
    if device is None:
        log.warning("second_factor_refused", user_id=str(user.pk))
    return device


def begin_set_up(user: User) -> TOTPDevice:
    """The device somebody is setting up; the same until they have shown a code of it."""
    with transaction.atomic():
        _lock(user)
        device, _ = TOTPDevice.objects.get_or_create(user=user, confirmed=False, name="app")
    return device


def finish_set_up(user: User, code: str) -> list[str] | None:
    """Confirm the device by a code of it. The codes for paper; None for a wrong code."""
    with transaction.atomic():
        _lock(user)
        device = TOTPDevice.objects.filter(user=user, confirmed=False).first()
        if device is None or is_set_up(user) or not device.verify_token(code):
            return None
        device.confirmed = True
        device.save()
        paper = StaticDevice.objects.create(user=user, name="paper")
        codes = [StaticToken.random_token() for _ in range(RECOVERY_CODES)]
        StaticToken.objects.bulk_create(StaticToken(device=paper, token=code) for code in codes)
    log.info("second_factor_set_up", user_id=str(user.pk))
    return codes


@transaction.atomic
def reset_second_factor(user_id: int) -> int:
    """Forget somebody's devices and paper codes, and end their logins of the admin.

    Returns how many devices there were.
    """
    gone = 0
    for kind in (TOTPDevice, StaticDevice):
        _, by_model = kind.objects.filter(user_id=user_id).delete()
        gone += by_model.get(kind._meta.label, 0)
    end_admin_logins(user_id=user_id)
    if gone:
        log.info("second_factor_reset", user_id=str(user_id))
    return gone


def picture_of(device: TOTPDevice) -> str:
    """The device's secret as a QR code, in SVG."""
    return segno.make(device.config_url, error="m").svg_inline(scale=4, border=2, light="white")


def key_of(device: TOTPDevice) -> str:
    """The same to be typed, in groups."""
    key = b32encode(device.bin_key).decode()
    return " ".join(key[start : start + 4] for start in range(0, len(key), 4))


def _lock(user: User) -> None:
    # Two windows at once would make two devices.
    User.objects.select_for_update().get(pk=user.pk)


@receiver(user_deleted)
def _forget_user(*, user_id: int, **_: Any) -> None:
    reset_second_factor(user_id)
