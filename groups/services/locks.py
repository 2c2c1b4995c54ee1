"""How a change of a group begins: lock, then look, for what was read before may be stale."""

from collections.abc import Collection

from conversations.services.members import lock_group
from groups.permissions import Permission
from groups.selectors import Access, access_group


def lock_and_access(
    *, user_id: int, conversation_id: int, permission: Permission, also: Collection[int] = ()
) -> Access:
    """The group, locked, for a member who may do this; `also` are users whose feeds will move.

    NotFound, Forbidden, Conflict, as `access_group`.
    """
    # Who may not, locks nothing.
    access_group(user_id=user_id, conversation_id=conversation_id, permission=permission)
    conversation = lock_group(conversation_id, also)
    access = access_group(user_id=user_id, conversation_id=conversation_id, permission=permission)
    # The very row that changes are counted in.
    access.group.conversation = conversation
    return access
