"""What the old interface calls things: ids as UUIDs, times, and whose e-mail is shown."""

from uuid import UUID

from django.conf import settings

from accounts.models import User

# The chatbot as its old clients know it, whatever it is called here.
BOT_NAME = "ChatBot-edenAI-GPT"


def uuid_text(id: int) -> str:
    """One of our ids in the form of a UUID."""
    return str(UUID(int=id))


def email_for(viewer_id: int, user: User) -> str:
    """A user's e-mail address as the viewer gets to see it: their own, or with the operator's leave."""
    return user.email if settings.COMPAT_SHOW_EMAILS or user.id == viewer_id else ""
