"""What the legacy v1 API calls things: ids as UUIDs, times, and whose e-mail is shown."""

from typing import Annotated
from uuid import UUID

import msgspec
from django.conf import settings

from accounts.models import User
from accounts.names import LOGIN_MAX

# The chatbot as its old clients know it, whatever it is called here.
BOT_NAME = "ChatBot-edenAI-GPT"

# No database takes a NUL.
NO_NUL = r"\A[^\x00]*\Z"
# Of a user or group. Looser than the rules, which the services know and explain.
Name = Annotated[str, msgspec.Meta(max_length=LOGIN_MAX, pattern=NO_NUL)]


def uuid_text(id: int) -> str:
    """One of our ids in the form of a UUID."""
    return str(UUID(int=id))


def email_for(viewer_id: int, user: User) -> str:
    """A user's e-mail address as the viewer gets to see it: their own, or with the operator's leave."""
    return user.email if settings.COMPAT_SHOW_EMAILS or user.id == viewer_id else ""
