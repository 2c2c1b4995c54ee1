"""A user as others see them: the same few fields wherever a user is shown."""

import msgspec
from django.db.models import QuerySet

from accounts.models import User
from common.ids import IdText


class UserSummary(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Another user. A deleted user has only the id, and `deleted` is true."""

    id: IdText
    username: str
    display_name: str
    deleted: bool
    bot: bool


# What `summary` takes, in this order.
SUMMARY_COLUMNS = ("id", "username", "display_name", "is_bot")


def summary(id: int, username: str, display_name: str, is_bot: bool) -> UserSummary:  # noqa: FBT001 - a row
    """A user who is here, of their columns."""
    return UserSummary(
        id=str(id), username=username, display_name=display_name, deleted=False, bot=is_bot
    )


def summaries_of(users: QuerySet[User]) -> dict[int, UserSummary]:
    """Users who are here, as the caller has made sure, by id and in their order.

    There may be thousands, in every list of conversations: models of them would take longer
    than all else.
    """
    return {row[0]: summary(*row) for row in users.values_list(*SUMMARY_COLUMNS)}


def deleted_user_summary(user_id: int) -> UserSummary:
    """A user who is deleted, deactivated, or blocks whoever looks: nobody can tell which."""
    return UserSummary(id=str(user_id), username="", display_name="", deleted=True, bot=False)
