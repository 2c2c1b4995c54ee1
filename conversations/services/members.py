"""Who takes part in a group, as its log tells it.

What members may do to each other is the business of `groups`; here a membership and
the system message that tells of it change together. Users are locked before the
conversation: their feeds move with their memberships.
"""

from collections.abc import Collection, Iterator, Sequence
from itertools import islice

from accounts.feed import bump_feeds, lock_users
from common.errors import NotFound
from conversations.log.changes import append_system, lock_conversation
from conversations.models import Conversation, Membership

# So many rows are written by a statement, and named by a system message.
CHUNK = 1_000


def lock_group(conversation_id: int, user_ids: Collection[int] = ()) -> Conversation:
    """Lock these users, then the group. NotFound when there is no such group."""
    lock_users(user_ids)
    conversation = lock_conversation(conversation_id)
    if conversation.kind != Conversation.Kind.GROUP:
        raise NotFound
    return conversation


def lock_memberships(conversation: Conversation, user_ids: Collection[int]) -> None:
    """Lock what several members have in a group, before any of it changes.

    After `lock_group`: by their ids, as receipts lock them, which take no lock of a conversation.
    """
    rows = Membership.objects.filter(conversation=conversation, user_id__in=user_ids)
    list(rows.order_by("id").select_for_update(no_key=True).values_list("id"))


def create_group(*, owner_id: int, name: str, member_ids: Collection[int] = ()) -> Conversation:
    """A group of these people, with its owner among them; its log begins by saying so.

    Inside the caller's transaction, which has locked the users.
    """
    conversation = Conversation(kind=Conversation.Kind.GROUP, name=name)
    conversation.save(force_insert=True)
    append_system(
        conversation, actor_id=owner_id, action="group.created", user_ids=[owner_id], value=name
    )
    _admit(conversation, [owner_id], joined_seq=1, share_history=True)
    Membership.objects.filter(conversation=conversation).update(role=Membership.Role.OWNER)
    add_members(
        conversation,
        actor_id=owner_id,
        user_ids=[user_id for user_id in member_ids if user_id != owner_id],
        share_history=True,
    )
    return conversation


def add_members(
    conversation: Conversation,
    *,
    actor_id: int,
    user_ids: Collection[int],
    share_history: bool = False,
    action: str = "members.added",
) -> list[int]:
    """Make these users members who are none; returns who that was.

    They see the log from here on, or with `share_history` all of it. The caller holds
    the locks of `lock_group`.
    """
    present = Membership.objects.filter(
        conversation=conversation, user_id__in=user_ids, left_seq=None
    )
    here = set(present.values_list("user_id", flat=True))
    new = [user_id for user_id in dict.fromkeys(user_ids) if user_id not in here]
    for chunk in _chunks(new):
        seq = append_system(conversation, actor_id=actor_id, action=action, user_ids=chunk)
        _admit(conversation, chunk, joined_seq=seq, share_history=share_history)
    return new


def remove_member(
    conversation: Conversation, *, actor_id: int, user_id: int, action: str = "member.removed"
) -> None:
    """End a membership: the message that says so is the last the member gets. NotFound.

    The caller holds the locks of `lock_group`, the user's among them.
    """
    membership = Membership.objects.filter(
        conversation=conversation, user_id=user_id, left_seq=None
    ).first()
    if membership is None:
        raise NotFound
    conversation.member_count -= 1
    membership.left_seq = append_system(
        conversation, actor_id=actor_id, action=action, user_ids=[user_id], leaves=[user_id]
    )
    membership.role = Membership.Role.MEMBER
    membership.save(update_fields=["left_seq", "role"])
    bump_feeds([user_id])


def set_role(
    conversation: Conversation, *, actor_id: int, user_id: int, role: Membership.Role
) -> None:
    """Give a member another role. NotFound. The locks as above."""
    changed = Membership.objects.filter(
        conversation=conversation, user_id=user_id, left_seq=None
    ).update(role=role)
    if not changed:
        raise NotFound
    append_system(
        conversation, actor_id=actor_id, action="role.changed", user_ids=[user_id], value=role
    )
    bump_feeds([user_id])


def _admit(
    conversation: Conversation, user_ids: Sequence[int], *, joined_seq: int, share_history: bool
) -> None:
    memberships = [
        Membership(
            conversation=conversation,
            user_id=user_id,
            visible_from=1 if share_history else joined_seq,
            joined_seq=joined_seq,
            # What was there before is not unread.
            read_seq=joined_seq,
            read_number=conversation.message_count,
            delivered_seq=joined_seq,
        )
        for user_id in user_ids
    ]
    # Who was here before comes back as if for the first time.
    Membership.objects.bulk_create(
        memberships,
        update_conflicts=True,
        unique_fields=["conversation", "user"],
        update_fields=[
            *("role", "may_send", "slow_until", "visible_from", "joined_seq"),
            *("left_seq", "read_seq", "read_number", "delivered_seq"),
        ],
    )
    conversation.member_count += len(user_ids)
    conversation.save(update_fields=["member_count"])
    bump_feeds(user_ids)


def _chunks(user_ids: Sequence[int]) -> Iterator[list[int]]:
    rest = iter(user_ids)
    while chunk := list(islice(rest, CHUNK)):
        yield chunk
