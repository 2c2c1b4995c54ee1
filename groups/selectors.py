"""Reads about groups. Every one of them passes `access_group` or holds its rule itself."""

from dataclasses import dataclass
from functools import cached_property

from django.db.models import Case, Exists, Q, QuerySet, When
from django.utils import timezone

from accounts.summaries import UserSummary
from accounts.tokens import hash_of
from common.errors import Conflict, Forbidden, NotFound
from common.text import normal_code
from contacts.selectors import blocked_pairs, summaries_for, visible_users
from conversations.models import Conversation, Membership, Message
from groups.models import Group, Invitation, JoinRequest
from groups.permissions import WHEN_CLOSED, Permission, Role, permissions_of

# Who may answer a request to join.
REVIEWERS = (Role.OWNER, Role.ADMIN)


@dataclass(frozen=True)
class Access:
    """A group as one of its members stands in it."""

    group: Group
    role: str

    @property
    def conversation(self) -> Conversation:
        return self.group.conversation

    @cached_property
    def permissions(self) -> frozenset[Permission]:
        return permissions_of(
            role=self.role,
            invite_policy=self.group.invite_policy,
            closed=self.conversation.closed_at is not None,
        )

    def require(self, permission: Permission) -> None:
        """Conflict in a closed group, Forbidden for who may not."""
        if permission in self.permissions:
            return
        if self.conversation.closed_at is not None and permission not in WHEN_CLOSED:
            raise Conflict("This group is closed.")
        raise Forbidden


def access_group(*, user_id: int, conversation_id: int, permission: Permission) -> Access:
    """The group, for a member who may do this.

    NotFound, whether there is no such group or the user is not in it; Forbidden, Conflict.
    """
    member = (
        Membership.objects.filter(
            user_id=user_id,
            conversation_id=conversation_id,
            left_seq=None,
            conversation__group__isnull=False,
        )
        .select_related("conversation__group")
        .first()
    )
    if member is None:
        raise NotFound
    access = Access(member.conversation.group, member.role)
    access.require(permission)
    return access


# --- members ------------------------------------------------------------------------


def current_members(conversation_id: int) -> QuerySet[Membership]:
    return Membership.objects.filter(conversation_id=conversation_id, left_seq=None)


def role_in(conversation_id: int, user_id: int) -> str:
    """The role of a current member; NotFound for everybody else."""
    role = current_members(conversation_id).filter(user_id=user_id)
    found = role.values_list("role", flat=True).first()
    if found is None:
        raise NotFound
    return found


@dataclass(frozen=True, slots=True)
class Member:
    """A member as another one sees them."""

    user: UserSummary
    role: str


@dataclass(frozen=True, slots=True)
class MemberPage:
    """Members in the order of their user ids; `next` is where to go on."""

    members: list[Member]
    next: int | None


def access_members(
    *, user_id: int, conversation_id: int, after: int | None, limit: int
) -> MemberPage:
    """The members of a group as one of them sees them. NotFound.

    Access and rows are one statement. Who is gone for the viewer is shown as gone.
    """
    current = current_members(conversation_id).filter(conversation__group__isnull=False)
    start = after or 0
    # One's own row belongs to every page, so that none is empty but for strangers.
    rows = list(
        current.filter(
            Q(user_id__gt=start) | Q(user_id=user_id), Exists(current.filter(user_id=user_id))
        )
        .order_by("user_id")
        .values_list("user_id", "role")[: limit + 2]
    )
    if not rows:
        raise NotFound
    page = [row for row in rows if row[0] > start]
    shown = page[:limit]
    people = summaries_for(user_id, [member_id for member_id, _ in shown])
    return MemberPage(
        members=[Member(people[member_id], role) for member_id, role in shown],
        next=shown[-1][0] if len(page) > limit else None,
    )


def was_removed(conversation_id: int, user_id: int) -> bool:
    """Whether somebody else ended this user's last membership.

    The log knows: the message at its end was sent by whoever ended it.
    """
    left = Membership.objects.filter(conversation_id=conversation_id, user_id=user_id)
    ends = left.exclude(left_seq=None).values("left_seq")
    ended = Message.objects.filter(conversation_id=conversation_id, seq__in=ends)
    return ended.exclude(sender_id=user_id).exists()


def reviewers_of(conversation_id: int) -> set[int]:
    """Ids of those who are told of requests to join."""
    rows = current_members(conversation_id).filter(role__in=REVIEWERS)
    return set(rows.values_list("user_id", flat=True))


def heir_of(user_id: int, conversation_id: int) -> int | None:
    """Who gets the group if the user goes; None: they do not own it, it is closed, or nobody can.

    The admin who has been there longest, else the member who has. Nobody who is deactivated,
    and no bot: a group needs somebody who acts.
    """
    owned = current_members(conversation_id).filter(
        user_id=user_id, role=Role.OWNER, conversation__closed_at=None
    )
    others = current_members(conversation_id).exclude(user_id=user_id)
    heirs = others.filter(Exists(owned), user__is_active=True, user__is_bot=False).order_by(
        Case(When(role=Role.ADMIN, then=0), default=1), "joined_seq", "id"
    )
    return heirs.values_list("user_id", flat=True).first()


# --- invitations --------------------------------------------------------------------


def find_invitation(token: str) -> Invitation:
    """The invitation of this token, whether or not it still lets anybody in. NotFound."""
    token_hash = hash_of(normal_code(token))
    found = Invitation.objects.select_related("group__conversation").filter(hash=token_hash)
    invitation = found.first()
    if invitation is None:
        raise NotFound
    return invitation


def require_open(invitation: Invitation, user_id: int) -> None:
    """NotFound for an invitation that does not let this user in, whatever the reason.

    It lets people in as long as whoever made it might: if they have left, were removed, or
    may not invite any more, their invitations are worth nothing. Nor is one to a closed group,
    nor any across a block: to somebody who is blocked, the maker is not there.
    """
    expired = invitation.expires_at is not None and invitation.expires_at <= timezone.now()
    used_up = invitation.max_uses is not None and invitation.uses >= invitation.max_uses
    if expired or used_up or invitation.revoked_at is not None or not _may_still_invite(invitation):
        raise NotFound
    if blocked_pairs([user_id], [invitation.created_by_id]):
        raise NotFound


def _may_still_invite(invitation: Invitation) -> bool:
    maker = current_members(invitation.group_id).filter(
        user_id=invitation.created_by_id, user__is_active=True
    )
    role = maker.values_list("role", flat=True).first()
    return role is not None and Permission.INVITE in Access(invitation.group, role).permissions


def list_invitations(access: Access, user_id: int) -> QuerySet[Invitation]:
    """Those that have not been revoked: all, or one's own for who may only invite."""
    rows = Invitation.objects.filter(group=access.group, revoked_at=None)
    if Permission.MANAGE_INVITATIONS in access.permissions:
        return rows
    return rows.filter(created_by_id=user_id)


def list_join_requests(viewer_id: int, conversation_id: int) -> QuerySet[JoinRequest]:
    """Who waits to be let in, without those who are gone for the viewer."""
    rows = JoinRequest.objects.filter(group_id=conversation_id).select_related("user")
    return rows.filter(user__in=visible_users(viewer_id, rows.values_list("user_id", flat=True)))


@dataclass(frozen=True, slots=True)
class Preview:
    """What an invitation says to whoever has it."""

    name: str
    member_count: int
    needs_approval: bool


def preview_of(invitation: Invitation) -> Preview:
    conversation = invitation.group.conversation
    return Preview(conversation.name, conversation.member_count, invitation.needs_approval)
