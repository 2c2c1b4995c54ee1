"""A user as other people see them: the same few fields wherever somebody is shown."""

import msgspec

from accounts.models import User
from chatbe.core.ids import IdText


class UserSummary(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Another user. Of one who is gone only the id is left, and `deleted` is true."""

    id: IdText
    username: str
    display_name: str
    deleted: bool
    bot: bool


def summary_of(user: User) -> UserSummary:
    """A user who is here, as the caller has made sure."""
    return UserSummary(
        id=str(user.id),
        username=user.username,
        display_name=user.display_name,
        deleted=False,
        bot=user.is_bot,
    )


def summary_of_gone(user_id: int) -> UserSummary:
    """A user who is deleted, shut out, or blocks whoever looks: nobody can tell which."""
    return UserSummary(id=str(user_id), username="", display_name="", deleted=True, bot=False)
