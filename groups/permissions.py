"""Who may do what in a group: the one table.

A message of somebody else is deleted by `conversations`, which holds the same rule; it is
listed here so that a client can be told of everything at once.
"""

from enum import StrEnum

from conversations.models import Membership
from groups.models import InvitePolicy

Role = Membership.Role


class Permission(StrEnum):
    """What somebody may do in a group. The values are what clients are told."""

    READ = "read"
    LEAVE = "leave"
    ADD = "add"
    INVITE = "invite"
    # See and revoke all invitations, answer requests to join.
    MANAGE_INVITATIONS = "manage_invitations"
    RENAME = "rename"
    DESCRIBE = "describe"
    SET_ANNOUNCEMENT_ONLY = "set_announcement_only"
    SET_SLOW_MODE = "set_slow_mode"
    # Only whose role is lower than one's own.
    REMOVE = "remove"
    DELETE_MESSAGES = "delete_messages"
    SET_HISTORY = "set_history"
    SET_INVITE_POLICY = "set_invite_policy"
    SET_ROLE = "set_role"
    TRANSFER = "transfer"
    CLOSE = "close"


P = Permission

_MEMBER = frozenset({P.READ, P.LEAVE})
_ADMIN = _MEMBER | {
    *(P.ADD, P.INVITE, P.MANAGE_INVITATIONS, P.REMOVE, P.DELETE_MESSAGES),
    *(P.RENAME, P.DESCRIBE, P.SET_ANNOUNCEMENT_ONLY, P.SET_SLOW_MODE),
}
_BY_ROLE = {Role.MEMBER: _MEMBER, Role.ADMIN: _ADMIN, Role.OWNER: frozenset(P)}
# By the group's policy, to everybody.
_INVITING = frozenset({P.ADD, P.INVITE})
# What is left when a group is closed; to close it again is nothing new.
WHEN_CLOSED = frozenset({P.READ, P.LEAVE, P.DELETE_MESSAGES, P.CLOSE})

_RANKS = {Role.MEMBER: 0, Role.ADMIN: 1, Role.OWNER: 2}


def permissions_of(*, role: str, invite_policy: str, closed: bool) -> frozenset[Permission]:
    """All that a member of this role may do."""
    granted = _BY_ROLE[Role(role)]
    if invite_policy == InvitePolicy.MEMBERS:
        granted |= _INVITING
    return granted & WHEN_CLOSED if closed else granted


def is_above(role: str, other: str) -> bool:
    """Whether one role may remove the other."""
    return _RANKS[Role(role)] > _RANKS[Role(other)]
