"""The other end of the mail server: what arrived, and the codes in it."""

import re
import time

from django.core import mail

DEADLINE_SECONDS = 60


def mails_to(address, *, count=1):
    """The mails to an address, once there are so many. They come from another thread."""
    until = time.monotonic() + DEADLINE_SECONDS
    while True:
        found = [message for message in list(mail.outbox) if message.to == [address]]
        if len(found) >= count:
            assert len(found) == count
            return found
        assert time.monotonic() < until, [message.to for message in mail.outbox]
        time.sleep(0.01)


def code_to(address, *, count=1):
    """The code in the newest of so many mails to an address."""
    [code] = re.findall(r"^([\w-]{43})$", mails_to(address, count=count)[-1].body, re.MULTILINE)
    return code
