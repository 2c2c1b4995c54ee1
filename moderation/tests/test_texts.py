"""Reading private texts in the admin: after a reason was given, for a while, and never unnoticed."""

import pytest
import time_machine
from django.contrib.auth.models import Permission
from django.utils import timezone

from conversations.models import Conversation, Message
from conversations.tests.people import make_friends, post
from moderation.models import AuditEntry, Report
from moderation.tests.people import (
    WHY,
    audited,
    client_of,
    do,
    do_to_all,
    make_moderator,
    make_superuser,
    page,
    staff_with,
)

pytestmark = pytest.mark.usefixtures("committed")

SECRET = "we meet at the old mill"


class Talk:
    """A conversation with one secret, of which there is a report."""

    def __init__(self):
        friends = make_friends()
        post(friends.phone, friends.conversation_id, SECRET)
        self.friends = friends
        self.message = Message.objects.get(conversation_id=friends.conversation_id)
        place = {"conversation_id": str(friends.conversation_id), "seq": 1, "reason": "spam"}
        answer = friends.tablet.post("/api/v1/reports", place)
        self.report = Report.objects.get(id=int(answer.json()["id"]))
        self.conversation = Conversation.objects.get(id=friends.conversation_id)

    def seen(self, client):
        """Which pages show the secret to somebody."""
        pages = {
            "list": page(Message, "changelist"),
            "message": page(self.message),
            "message history": page(self.message, "history"),
            "reports": page(Report, "changelist"),
            "report": page(self.report),
            "conversation": page(self.conversation),
        }
        return {name for name, url in pages.items() if SECRET in client.get(url).content.decode()}


SHOWING = {"list", "message", "report"}


@pytest.fixture
def talk():
    return Talk()


@pytest.fixture
def moderator():
    return make_moderator()


def readings(talk):
    rows = AuditEntry.objects.filter(action="texts.read", target_id=talk.conversation.id)
    return [(row.reason, row.details) for row in rows.order_by("id")]


def test_no_text_is_shown_before_a_reason_was_given(talk, moderator):
    for client in (moderator, make_superuser()):
        assert talk.seen(client) == set()
    assert audited() == []


@pytest.mark.parametrize("opened", ["message", "report", "conversation"])
def test_a_reason_opens_the_texts_of_one_conversation_to_one_session(talk, moderator, opened):
    other = Talk()
    do(moderator, "read", getattr(talk, opened))
    assert talk.seen(moderator) == SHOWING
    assert other.seen(moderator) == {"list"}  # that of the first conversation, among others
    assert talk.seen(client_of(moderator.user)) == set()
    assert talk.seen(make_superuser()) == set()


def test_every_reading_is_noted_with_its_reason(talk, moderator):
    do(moderator, "read", talk.conversation)
    assert readings(talk) == []
    for shown, url in enumerate(
        (page(talk.message), page(Message, "changelist"), page(talk.report)), 1
    ):
        assert SECRET in moderator.get(url).content.decode()
        assert readings(talk) == [(WHY, {"seqs": [1]})] * shown
    assert audited()[0] == (moderator.user.id, "texts.opened", talk.conversation.id, WHY)


def test_where_a_reading_cannot_be_noted_nothing_is_shown(talk, moderator, monkeypatch):
    do(moderator, "read", talk.message)
    moderator.raise_request_exception = False

    def fail(*_arguments, **_options):
        raise RuntimeError("the disk is full")

    monkeypatch.setattr(AuditEntry.objects, "create", fail)
    for url in (page(talk.message), page(Message, "changelist"), page(talk.report)):
        answer = moderator.get(url)
        assert answer.status_code == 500
        assert SECRET not in answer.content.decode()


def test_after_half_an_hour_the_reason_is_asked_again(talk, moderator):
    now = timezone.now()
    with time_machine.travel(now) as clock:
        do(moderator, "read", talk.message)
        clock.shift(29 * 60)
        assert talk.seen(moderator) == SHOWING
        clock.shift(2 * 60)
        assert talk.seen(moderator) == set()


def test_who_loses_the_permission_reads_no_further(talk, moderator):
    do(moderator, "read", talk.message)
    moderator.user.groups.clear()
    resume_reads = Permission.objects.filter(codename__in=["view_message", "view_report"])
    moderator.user.user_permissions.set(resume_reads)
    assert talk.seen(moderator) == set()


def test_without_the_permission_nothing_is_offered_and_nothing_opens(talk):
    names = ("conversations.view_message", "conversations.view_conversation")
    helper = staff_with(*names, "moderation.view_report")
    for row in (talk.message, talk.report, talk.conversation):
        assert page(row, "action", "read") not in helper.get(page(row)).content.decode()
        assert do(helper, "read", row).status_code == 403
    do_to_all(helper, "read", talk.message, reason=WHY)
    assert talk.seen(helper) == set()
    # To be allowed to read what one may not look at is nothing.
    assert (
        do(staff_with("conversations.read_message_text"), "read", talk.message).status_code == 403
    )
    assert audited() == []


def test_an_answer_to_a_form_shows_no_text(talk, moderator):
    do(moderator, "read", talk.message)
    before = len(audited())
    url = page(Message, "changelist")
    for body in (
        {},
        {"action": "praise"},
        {"action": "delete", "_selected_action": talk.message.pk},
    ):
        answer = moderator.post(url, body)
        assert SECRET not in answer.content.decode()
    assert len(audited()) == before


def test_evidence_about_a_user_is_no_private_text(talk, moderator):
    answer = talk.friends.phone.post(
        "/api/v1/reports", {"user_id": str(talk.friends.bob.id), "reason": "impersonation"}
    )
    report = Report.objects.get(id=int(answer.json()["id"]))
    assert talk.friends.bob.username in moderator.get(page(report)).content.decode()
    assert audited() == []
