"""Mails: how they are written, and how many somebody gets.

They hold nothing that a stranger chose (a device's name, say): whoever logs in could
write to the user through us.
"""

from typing import Any

from django.conf import settings
from django.core.mail import EmailMessage
from django.db import connection
from django.template.loader import render_to_string

from accounts.names import deliverable, email_key
from common.limits import window


def count_mail(kind: str, address: str) -> None:
    """Count a mail of this kind to this address. RateLimited when it had its share."""
    window.hit(settings.MAILS_PER_RECIPIENT, "mail", kind, email_key(address))


def send_mail(kind: str, recipient: str, **context: Any) -> None:
    """Send the template of this name, whose first line is the subject."""
    text = render_to_string(f"accounts/mail/{kind}.txt", context)
    subject, _, body = text.partition("\n")
    if not connection.in_atomic_block:
        # A mail server may take its time, which is no reason to keep a connection.
        connection.close()
    EmailMessage(subject, body.strip() + "\n", to=[deliverable(recipient)]).send()


def link_to(page: str, code: str) -> str:
    """Where the client's page takes this code; nothing without PUBLIC_URL.

    The code is in the part of a URL that browsers keep to themselves, so no server logs it.
    """
    return f"{settings.PUBLIC_URL}/{page}#{code}" if settings.PUBLIC_URL else ""
