"""Reads about bots, questions and answers."""

from collections.abc import Collection
from dataclasses import dataclass

from django.db.models import F, IntegerField, Min, OuterRef, Q, QuerySet, Subquery, Value
from django.db.models.functions import Coalesce, Greatest

from accounts.models import User
from chatbot.models import Answer, Cursor, Reminder, bot_users
from chatbot.schemas import AnswerBody, body_of
from common.errors import NotFound
from contacts.selectors import visible_users
from conversations.models import Conversation, Membership, Message
from conversations.selectors.visible import visible_messages

# So many conversations are looked at in one round; the next round takes the others.
ROUND_MAX = 200


def list_bots(*, viewer_id: int) -> QuerySet[User]:
    """The users of the bots that answer, by name."""
    ids = bot_users().values_list("id", flat=True)
    return visible_users(viewer_id, ids).order_by("username_key")


def access_answers(*, user_id: int, conversation_id: int, seq: int) -> list[AnswerBody]:
    """What becomes of the question at a position. NotFound where none is to be seen."""
    return [body_of(answer) for answer in visible_answers(user_id, conversation_id, seq)]


def visible_answers(user_id: int, conversation_id: int, seq: int) -> list[Answer]:
    """The rows, for somebody who may see the question: access and rows in one statement."""
    found = Answer.objects.filter(
        conversation_id=conversation_id,
        question_seq=seq,
        conversation__memberships__user_id=user_id,
        conversation__memberships__left_seq=None,
        conversation__memberships__visible_from__lte=F("question_seq"),
    ).select_related("bot")
    answers = list(found.order_by("id"))
    if not answers:
        raise NotFound
    return answers


# --- for the worker -------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class BotConversation:
    """A conversation in which a bot has not read everything yet."""

    bot_id: int
    bot_user_id: int
    bot_key: str
    conversation_id: int
    is_group: bool
    # The first of the group's bots: `/ask` is for this one.
    by_command: bool
    joined_seq: int


def conversations_with_bots(among: Collection[int]) -> set[int]:
    """In which of these a bot takes part: one light statement, for it is asked all the time."""
    members = Membership.objects.filter(conversation_id__in=among, left_seq=None)
    with_bots = members.filter(user__is_bot=True).order_by()
    return set(with_bots.values_list("conversation_id", flat=True))


def unread_places(among: Collection[int] | None = None) -> list[BotConversation]:
    """Where bots have something to read, in one statement; `among` these conversations only."""
    cursor = Cursor.objects.filter(
        bot__user_id=OuterRef("user_id"), conversation_id=OuterRef("conversation_id")
    )
    first = (
        Membership.objects.filter(
            conversation_id=OuterRef("conversation_id"),
            left_seq=None,
            user__is_active=True,
            user__program__enabled=True,
        )
        .order_by()
        .values("conversation_id")
        .annotate(first=Min("user__program__id"))
        .values("first")
    )
    memberships = Membership.objects.filter(user__in=bot_users(), left_seq=None)
    if among is not None:
        memberships = memberships.filter(conversation_id__in=among)
    behind = memberships.alias(
        # Who was not there yet was not asked.
        read_to=Greatest(Coalesce(Subquery(cursor.values("seq")[:1]), Value(0)), F("joined_seq"))
    ).filter(conversation__last_seq__gt=F("read_to"))
    rows = behind.annotate(first_bot=Subquery(first, output_field=IntegerField())).values_list(
        "user__program__id",
        "user_id",
        "user__username_key",
        "conversation_id",
        "conversation__kind",
        "first_bot",
        "joined_seq",
    )
    return [
        BotConversation(
            bot_id, user_id, key, conversation_id, kind != Conversation.Kind.DIRECT,
            first_bot == bot_id, joined_seq,
        )
        for bot_id, user_id, key, conversation_id, kind, first_bot, joined_seq in rows[:ROUND_MAX]
    ]  # fmt: skip


def visible_to_both(*, user_id: int, bot_user_id: int, conversation_id: int) -> QuerySet[Message]:
    """Texts of a conversation that this user and this bot may see now, in one statement."""
    return (
        visible_messages(user_id)
        .filter(
            conversation__memberships__user_id=bot_user_id,
            conversation__memberships__left_seq=None,
            seq__gte=F("conversation__memberships__visible_from"),
        )
        .filter(conversation_id=conversation_id, kind=Message.Kind.TEXT, deleted_at=None)
    )


def due_reminders(now: object) -> list[Reminder]:
    """Those whose time has come."""
    found = Reminder.objects.filter(open=True, due_at__lte=now).order_by("due_at")
    return list(found.select_related("answer__bot__user")[:ROUND_MAX])


def open_answers(bot_id: int) -> QuerySet[Answer]:
    return Answer.objects.filter(bot_id=bot_id, open=True)


def is_taken() -> Q:
    """Whether a worker has it, or had it."""
    return ~Q(status=Answer.Status.WAITING)
