"""Groups that nobody is in any more: nobody joins or reads them, and their rows stay."""

from collections.abc import Iterator

from django.db import transaction

from conversations.log.changes import lock_conversation
from conversations.models import Conversation, Membership
from conversations.services.bulk_delete import empty_system_values
from groups.models import Group


def empty_abandoned_groups(user_id: int) -> Iterator[int]:
    """Empty what those were called that a user was a member of; yields the messages of each.

    A group that others are in is theirs, and so is its name.
    """
    left = Membership.objects.filter(user_id=user_id, conversation__group__isnull=False)
    abandoned = left.filter(conversation__member_count=0).exclude(conversation__name="")
    for conversation_id in list(abandoned.values_list("conversation_id", flat=True)):
        yield _empty(conversation_id)


@transaction.atomic
def _empty(conversation_id: int) -> int:
    conversation = lock_conversation(conversation_id)
    if conversation.member_count:
        return 0
    emptied = empty_system_values(conversation)
    Group.objects.filter(conversation_id=conversation_id).update(description="", client_id="")
    # Last: as long as there is a name, all of this is done again.
    Conversation.objects.filter(id=conversation_id).update(name="")
    return emptied
