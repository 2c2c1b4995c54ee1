"""What may be spent in a day, whoever asks and wherever (S26)."""

from collections import Counter

import pytest

from accounts.tests.rest import make_user
from chatbot.models import Answer, Bot
from chatbot.services import answers
from conversations.models import Conversation

PER_USER, PER_CONVERSATION, PER_DAY = 10, 15, 30
QUESTIONS, USERS, PLACES = 100, 5, 4

pytestmark = pytest.mark.django_db


def ask_much(bot):
    """Questions of all users in all conversations in turn."""
    users = [make_user().id for _ in range(USERS)]
    places = [Conversation.objects.create(kind="group").id for _ in range(PLACES)]
    Answer.objects.bulk_create(
        Answer(
            bot=bot,
            conversation_id=places[number % PLACES],
            asker_id=users[number % USERS],
            question_seq=number,
        )
        for number in range(QUESTIONS)
    )


def answer_all(bot):
    """As a worker does, one after the other."""
    while answer := answers.take_next(bot.id, "worker"):
        if answer.status == Answer.Status.ASKED:
            answers.end(answer, Answer.Status.DONE, "so it is")
        answers.close(answer, None)


@pytest.mark.parametrize(
    ("limits", "asked"),
    [
        ({"per_user": PER_USER}, PER_USER * USERS),
        ({"per_conversation": PER_CONVERSATION}, PER_CONVERSATION * PLACES),
        ({"per_day": PER_DAY}, PER_DAY),
        (
            {"per_user": PER_USER, "per_conversation": PER_CONVERSATION, "per_day": PER_DAY},
            PER_DAY,
        ),
    ],
    ids=["user", "conversation", "day", "all"],
)
def test_no_more_is_asked_than_each_budget_allows(limits, asked):
    bot = Bot.objects.earliest("id")
    none = {"per_user": 0, "per_conversation": 0, "per_day": 0}
    Bot.objects.filter(id=bot.id).update(**none | limits)
    ask_much(bot)
    answer_all(bot)
    rows = Answer.objects.filter(bot=bot)
    spent = rows.exclude(asked_at=None)
    assert spent.count() == asked
    refused = rows.filter(status=Answer.Status.REFUSED, fault="budget", asked_at=None)
    assert refused.count() == QUESTIONS - asked
    for field, most in (("asker_id", "per_user"), ("conversation_id", "per_conversation")):
        counts = Counter(spent.values_list(field, flat=True)).values()
        assert max(counts) <= limits.get(most, QUESTIONS)
