"""The other end of the mail server: what arrived, and the codes in it."""

import re

from django.core import mail

from accounts.mail import queue

DEADLINE_SECONDS = 60


def no_mail_on_its_way():
    """Wait until all that was asked for so far has arrived or failed."""
    queue.finish(DEADLINE_SECONDS)


def mails_to(address, *, count=1):
    """The emails to an address, which are so many when all that was asked for has left."""
    no_mail_on_its_way()
    found = [message for message in mail.outbox if message.to == [address]]
    assert len(found) == count, [(message.to, message.subject) for message in mail.outbox]
    return found


def code_to(address, *, count=1):
    """The code in the newest of so many emails to an address."""
    [code] = re.findall(r"^([\w-]{43})$", mails_to(address, count=count)[-1].body, re.MULTILINE)
    return code
