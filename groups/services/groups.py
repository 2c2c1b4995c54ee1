"""Making a group, changing how it is called and governed, closing it."""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any, TypedDict, Unpack

import structlog
from django.db import transaction
from django.utils import timezone

from accounts.feed import lock_users
from common.errors import InvalidInput, SessionEnded
from common.text import clean_line, clean_text
from conversations.log.changes import append_system
from conversations.models import NAME_MAX, Conversation
from conversations.services import members
from conversations.services.sending import check_client_id
from groups.models import DESCRIPTION_MAX, Group, History, InvitePolicy, JoinRequest
from groups.permissions import Permission, Role
from groups.selectors import Access, access_group
from groups.services.consent import count_added, count_group, require_consent
from groups.services.locks import lock_and_access
from groups.services.members import require_free_place

SLOW_SECONDS_MAX = 3_600

log = structlog.get_logger(__name__)


@transaction.atomic
def create_group(
    *,
    user_id: int,
    name: str,
    description: str = "",
    member_ids: Collection[int] = (),
    invite_policy: str = InvitePolicy.ADMINS,
    client_id: str = "",
) -> tuple[Access, bool]:
    """Make a group that the user owns, of people who let them.

    False if it was there: the same `client_id` again is the same group. InvalidInput names
    who may not be added; Conflict above the limit of members; RateLimited.
    """
    name, description = _clean_name(name), _clean_description(description)
    if client_id:
        check_client_id(client_id)
    others = set(member_ids) - {user_id}
    require_free_place(1 + len(others))
    known = Group.objects.filter(creator_id=user_id, client_id=client_id).exclude(client_id="")
    if not known.exists():
        # Counted before anything is locked: a thousand of them take their time.
        require_consent(user_id, others)
        count_group(user_id)
        count_added(user_id, others)
    # Contacts change under these locks too, and nobody of them can be deleted meanwhile.
    if not lock_users({user_id, *others})[user_id].is_active:
        raise SessionEnded
    existing = known.values_list("conversation_id", flat=True).first()
    if existing is not None:
        access = access_group(user_id=user_id, conversation_id=existing, permission=Permission.READ)
        return access, False
    require_consent(user_id, others)
    group = found_group(
        owner_id=user_id,
        name=name,
        member_ids=sorted(others),
        description=description,
        invite_policy=invite_policy,
        client_id=client_id,
    )
    return Access(group, Role.OWNER), True


def found_group(
    *, owner_id: int, name: str, member_ids: Collection[int] = (), **governed: str
) -> Group:
    """A group with everything that belongs to one: nothing else makes any.

    Asks nobody: for `create_group`, and for whoever fills an installation. In the caller's
    transaction, which has locked the users. `governed` are fields of Group.
    """
    conversation = members.create_group(owner_id=owner_id, name=name, member_ids=member_ids)
    return Group.objects.create(
        conversation=conversation, creator_id=owner_id, created_at=timezone.now(), **governed
    )


class Settings(TypedDict, total=False):
    """What `update_group` may change."""

    name: str
    description: str
    announcement_only: bool
    slow_seconds: int
    history: str
    invite_policy: str


def _clean_name(name: str) -> str:
    return clean_line(name, "name", max_length=NAME_MAX)


def _clean_description(text: str) -> str:
    if not text:
        return ""
    if len(text) > DESCRIPTION_MAX:
        raise InvalidInput(fields={"description": f"is longer than {DESCRIPTION_MAX} characters"})
    return clean_text(text, "description")


def _clean_slow_seconds(seconds: int) -> int:
    if not 0 <= seconds <= SLOW_SECONDS_MAX:
        raise InvalidInput(fields={"slow_seconds": f"is not from 0 to {SLOW_SECONDS_MAX}"})
    return seconds


def _on_or_off(value: bool) -> str:  # noqa: FBT001 - it is what is shown
    return "on" if value else "off"


@dataclass(frozen=True, slots=True)
class _Setting:
    """How one of the settings is changed: who may, and what the log says.

    `shown` is the value that the log tells; `posting` is said of what decides who may write
    and stands in the conversation's row.
    """

    permission: Permission
    action: str
    clean: Callable[[Any], Any]
    shown: Callable[[Any], str] = str
    posting: bool = False


# In the order of these their system messages come.
_SETTINGS = {
    "name": _Setting(Permission.RENAME, "group.renamed", _clean_name),
    # Too long for a line in the log.
    "description": _Setting(
        Permission.DESCRIBE, "description.changed", _clean_description, lambda _: ""
    ),
    "announcement_only": _Setting(
        Permission.SET_ANNOUNCEMENT_ONLY,
        "announcement_only.changed",
        bool,
        _on_or_off,
        posting=True,
    ),
    "slow_seconds": _Setting(
        Permission.SET_SLOW_MODE, "slow_mode.changed", _clean_slow_seconds, posting=True
    ),
    "history": _Setting(Permission.SET_HISTORY, "history.changed", History),
    "invite_policy": _Setting(Permission.SET_INVITE_POLICY, "invite_policy.changed", InvitePolicy),
}


@transaction.atomic
def update_group(*, user_id: int, conversation_id: int, **wanted: Unpack[Settings]) -> Access:
    """Change what is given, all of it or nothing; each change is told in the log.

    The group as it is then.

    InvalidInput, NotFound, Forbidden, Conflict.
    """
    values = {name: _SETTINGS[name].clean(value) for name, value in wanted.items()}
    access = lock_and_access(
        user_id=user_id, conversation_id=conversation_id, permission=Permission.READ
    )
    for name in values:
        access.require(_SETTINGS[name].permission)
    for name, setting in _SETTINGS.items():
        if name in values:
            _change(access.group, name, values[name], setting, actor_id=user_id)
    return Access(access.group, access.role)


def _change(group: Group, name: str, value: Any, setting: _Setting, *, actor_id: int) -> None:
    row = group.conversation if hasattr(Conversation, name) else group
    if getattr(row, name) == value:
        return
    setattr(row, name, value)
    row.save(update_fields=[name])
    append_system(
        group.conversation,
        actor_id=actor_id,
        action=setting.action,
        value=setting.shown(value),
        reread=setting.posting,
    )


@transaction.atomic
def close_group(*, user_id: int, conversation_id: int) -> None:
    """End a group for good: it can be read and left, nothing else. Again is nothing new."""
    access = lock_and_access(
        user_id=user_id, conversation_id=conversation_id, permission=Permission.CLOSE
    )
    close_locked(access.conversation, actor_id=user_id)


def close_locked(conversation: Conversation, *, actor_id: int) -> None:
    """Close a group whose conversation the caller has locked."""
    if conversation.closed_at is not None:
        return
    conversation.closed_at = timezone.now()
    JoinRequest.objects.filter(group_id=conversation.id).delete()
    append_system(conversation, actor_id=actor_id, action="group.closed", reread=True)
    log.info("group_closed", conversation_id=str(conversation.id), actor_id=str(actor_id))
