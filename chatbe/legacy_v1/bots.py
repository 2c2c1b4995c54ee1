"""The chatbot, which old clients know under one name only: the bot that was made first."""

from accounts.models import User
from chatbe.legacy_v1.selectors import find_direct
from chatbot.selectors import list_bots
from common.errors import NotFound
from contacts.selectors import list_contacts
from contacts.services import add_contact
from conversations.models import Membership
from groups.permissions import Permission
from groups.selectors import access_group
from groups.services.members import add_members


def find_bot(user_id: int) -> tuple[int, int | None]:
    """The bot's id, and that of the user's conversation with it if there is one. NotFound."""
    bot = _first_bot(user_id)
    return bot.id, find_direct(user_id, bot.id)


def has_bot(group_id: int) -> bool:
    """Whether a group has a bot that answers."""
    members = Membership.objects.filter(conversation_id=group_id, left_seq=None)
    return members.filter(user__is_bot=True, user__is_active=True).exists()


def bring_bot(*, user_id: int, group_id: int) -> None:
    """See to it that a group has a bot, as any member may who may add people.

    NotFound, Forbidden, Conflict, RateLimited.
    """
    if has_bot(group_id):
        return
    access_group(user_id=user_id, conversation_id=group_id, permission=Permission.ADD)
    bot = _first_bot(user_id)
    # In transactions of their own: each locks a conversation, and their ids have no order.
    if not list_contacts(user_id).filter(user=bot).exists():
        add_contact(user=User.objects.get(id=user_id), username=bot.username)
    add_members(user_id=user_id, conversation_id=group_id, member_ids=[bot.id])


def _first_bot(viewer_id: int) -> User:
    bot = list_bots(viewer_id=viewer_id).order_by("id").first()
    if bot is None:
        raise NotFound("There is no chatbot here.")
    return bot
