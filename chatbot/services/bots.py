"""Making bots. They are users who cannot log in: no password fits and no address is theirs."""

import structlog
from django.conf import settings
from django.db import IntegrityError, transaction

from accounts.models import User
from accounts.names import DISPLAY_NAME_MAX, username_key
from chatbot.models import Bot
from common.errors import ChatError, Conflict
from common.text import clean_line

log = structlog.get_logger(__name__)

# A name that no mail ever reaches (RFC 2606).
_ADDRESS = "bot@bots.invalid"


def make_bot(*, username: str, display_name: str = "") -> Bot:
    """Make a bot with a user of its own. InvalidInput, Conflict for a taken name."""
    if display_name:
        display_name = clean_line(display_name, "display_name", max_length=DISPLAY_NAME_MAX)
    try:
        with transaction.atomic():
            user = User.objects.create_user(
                username,
                _ADDRESS,
                email_is_known_to_be_theirs=False,
                display_name=display_name,
                is_bot=True,
            )
            return Bot.objects.create(user=user)
    except IntegrityError:
        raise Conflict(fields={"username": "is taken, or too much like one that is"}) from None


def ensure_default_bot() -> None:
    """Make the bot of CHATBOT_USERNAME unless it is there. Safe to call at any time.

    Whoever has that name already keeps it: then there is none, and the log says so.
    """
    name = settings.CHATBOT_USERNAME
    if not name or User.objects.filter(username_key=username_key(name), is_bot=True).exists():
        return
    try:
        make_bot(username=name, display_name=settings.CHATBOT_DISPLAY_NAME)
    except ChatError as error:
        log.warning("default_bot_not_made", code=error.code, fields=error.fields)
