"""The other end of the mail server: what arrived, and the codes in it."""

import re
import time

from django.core import mail

DEADLINE_SECONDS = 60


def wait_until(happened):
    """Look until it has happened, in the thread that sends mails."""
    until = time.monotonic() + DEADLINE_SECONDS
    while not happened():
        assert time.monotonic() < until, [message.to for message in mail.outbox]
        time.sleep(0.01)


def mails_to(address, *, count=1):
    """The mails to an address, once there are so many."""

    def arrived():
        return [message for message in list(mail.outbox) if message.to == [address]]

    wait_until(lambda: len(arrived()) >= count)
    found = arrived()
    assert len(found) == count
    return found


def code_to(address, *, count=1):
    """The code in the newest of so many mails to an address."""
    [code] = re.findall(r"^([\w-]{43})$", mails_to(address, count=count)[-1].body, re.MULTILINE)
    return code
