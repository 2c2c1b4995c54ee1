"""After an erasure, and after retention, nothing of what somebody wrote is anywhere (S31)."""

import re
from datetime import timedelta
from io import StringIO

import pytest
from django.apps import apps
from django.core.management import call_command
from django.db import connection, transaction
from django.utils import timezone

from accounts.models import Notice, Session
from accounts.services import log_in
from accounts.tests.rest import device_of, make_user
from chatbot.models import Answer, Bot, Reminder
from contacts.services import add_contact, set_alias
from conversations.log.append import append_messages
from conversations.models import Conversation, Message
from conversations.services.bulk_delete import count_texts_before
from conversations.services.direct import open_direct
from conversations.tests.people import draft
from groups.models import Group
from groups.services.groups import create_group
from groups.services.members import admit
from moderation.models import Report
from moderation.services.reports import dismiss_report, report_message, report_user
from moderation.tests.conftest import committed  # noqa: F401 - a fixture
from tests.kit.secret_scan import PASSWORD

CANARY = "canary7f3a"
WORDS = f"{CANARY} said this"

# What follows for others comes after the commit.
pytestmark = pytest.mark.usefixtures("committed")


def say(sender, place, text=WORDS, **fields):
    [sent] = append_messages([draft(sender, place, text, **fields)])
    return sent.message.seq


class Life:
    """Somebody who has left traces wherever a user can, and somebody who stays."""

    def __init__(self):
        self.gone = make_user(CANARY, password=PASSWORD, email=f"{CANARY}@example.org")
        self.stays = make_user("stays")
        self.moderator = make_user("moderator", is_staff=True, is_superuser=True)
        add_contact(user=self.stays, username=CANARY)
        set_alias(user=self.stays, other_id=self.gone.id, alias=f"my {CANARY}")
        log_in(login=CANARY, password=PASSWORD, device=CANARY, user_agent=CANARY)
        log_in(login=CANARY, password=PASSWORD, device=f"{CANARY} 2", user_agent=CANARY)
        profile = {"display_name": CANARY, "about": WORDS}
        assert device_of(self.gone).patch("/api/v1/me", profile).status_code == 200
        self.direct, _ = open_direct(user_id=self.stays.id, other_id=self.gone.id)
        made, _ = create_group(user_id=self.stays.id, name="Club", member_ids=[self.gone.id])
        self.group = made.conversation.id
        self.seq = say(self.gone, self.direct)
        say(self.gone, self.group)
        say(self.stays, self.group, "an innocent answer")
        self.reports = [
            self.reported(self.direct, self.seq),
            # About somebody else, with the words before it.
            self.reported(self.group, say(self.moderator_in(self.group), self.group, "hm")),
        ]
        dismiss_report(actor=self.moderator, report_id=self.reports[1].id, note="nothing")
        report_user(reporter=self.stays, user_id=self.gone.id, reason="spam")
        report_user(reporter=self.gone, user_id=self.stays.id, reason="spam", comment=WORDS)
        self.ask_a_bot()

    def keep_to_themselves(self):
        """A group that nobody else is in."""
        device = device_of(self.gone)
        named = {"name": f"{CANARY} alone", "description": WORDS, "client_id": CANARY}
        made = device.post("/api/v1/groups", named).json()
        group = f"/api/v1/groups/{made['conversation_id']}"
        assert device.patch(group, {"name": f"{CANARY} still"}).status_code == 200

    def moderator_in(self, place):
        self.bring(self.moderator, place)
        return self.moderator

    def bring(self, user, place):
        group = Group.objects.select_related("conversation").get(conversation_id=place)
        with transaction.atomic():
            admit(group, actor_id=self.stays.id, user_ids=[user.id])

    def reported(self, place, seq):
        report, _ = report_message(
            reporter=self.stays, conversation_id=place, seq=seq, reason="hate"
        )
        return report

    def ask_a_bot(self):
        """What a bot says to somebody quotes them; and it is to say more later."""
        bot = Bot.objects.select_related("user").first()
        place, _ = open_direct(user_id=self.gone.id, other_id=bot.user_id)
        asked = say(self.gone, place, f"remind me of {CANARY}")
        answer = Answer.objects.create(
            bot=bot, conversation_id=place, question_seq=asked, asker=self.gone, text=WORDS
        )
        said = say(bot.user, place, f"I shall: {CANARY}", client_id=answer.client_id)
        report_message(reporter=self.gone, conversation_id=place, seq=said, reason="other")
        # In a group others can report what was answered there, or what was said after it.
        self.bring(bot.user, self.group)
        asked = say(self.gone, self.group, f"what is {CANARY}?")
        answer = Answer.objects.create(
            bot=bot, conversation_id=self.group, question_seq=asked, asker=self.gone
        )
        said = say(bot.user, self.group, f"{CANARY} is", client_id=answer.client_id)
        self.reported(self.group, said)
        self.reported(self.group, say(self.moderator, self.group, "hm"))
        Reminder.objects.create(answer=answer, due_at=timezone.now(), text=CANARY)
        self.gone_alone_with = place


@pytest.fixture
def life():
    return Life()


def places_of(needle):
    """`table.column` of everything in the database that holds it, in any letters."""
    found = set()
    for table in connection.introspection.table_names():
        with connection.cursor() as cursor:
            cursor.execute(f'SELECT * FROM "{table}"')  # noqa: S608
            names = [column[0] for column in cursor.description]
            for row in cursor.fetchall():
                for name, value in zip(names, row, strict=True):
                    text = (
                        bytes(value).decode("latin-1")
                        if isinstance(value, memoryview)
                        else str(value)
                    )
                    if needle in text.casefold():
                        found.add(f"{table}.{name}")
    return found


def erase(tmp_path):
    call_command(
        *("erase_user", CANARY, "--messages", "empty", "--report", tmp_path / "report"),
        stdout=StringIO(),
    )


def test_the_canary_is_where_it_is_looked_for(life):
    life.keep_to_themselves()
    tables = {place.partition(".")[0] for place in places_of(CANARY)}
    kinds = (type(life.gone), Session, Notice, Message, Report, Answer, Reminder, Group)
    assert tables >= {model._meta.db_table for model in kinds}


def test_after_an_erasure_nothing_of_it_is_in_any_table(life, tmp_path):
    assert {m._meta.db_table for m in apps.get_models()} <= set(
        connection.introspection.table_names()
    )
    life.keep_to_themselves()
    erase(tmp_path)
    assert places_of(CANARY) == set()
    # What others said is not touched.
    said = {m["text"] for r in Report.objects.all() for m in r.evidence.get("messages", [])}
    assert said == {"", "an innocent answer", "hm"}
    assert Group.objects.get(conversation_id=life.group).conversation.name == "Club"


def test_what_a_moderator_should_look_at_first_is_in_the_report_of_the_erasure(life, tmp_path):
    erase(tmp_path)
    text = (tmp_path / "report").read_text()
    assert re.search(r'"open_reports_about": 2', text)


def test_an_author_who_leaves_makes_no_evidence_unseen(life):
    device = device_of(life.gone)
    assert device.delete("/api/v1/me", {"password": PASSWORD}).status_code == 204
    assert places_of(CANARY) == {
        "conversations_message.text",
        "moderation_report.evidence",
        "chatbot_answer.text",
    }


def apply_retention(**days):
    call_command("apply_retention", **days, stdout=StringIO())


@pytest.fixture
def old(life):
    """As if all of it had happened a hundred days ago."""
    ago = timezone.now() - timedelta(days=100)
    Report.objects.update(created_at=ago)
    return life


def test_evidence_goes_by_its_age_whatever_became_of_the_report(old):
    apply_retention(direct_days=0, group_days=0)
    assert not [r for r in Report.objects.all() if r.evidence or r.comment or r.note]
    assert Report.objects.filter(status="dismissed").count() == 1
    assert "conversations_message.text" in places_of(CANARY)


def test_with_retention_copies_in_closed_reports_go_with_their_messages(life, settings):
    settings.EVIDENCE_DAYS = 0
    tomorrow = timezone.now() + timedelta(days=2)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("django.utils.timezone.now", lambda: tomorrow)
        assert sum(count_texts_before(Conversation.Kind.GROUP, tomorrow)) > 0
        apply_retention(direct_days=1, group_days=1)
    direct, group = (Report.objects.get(id=report.id) for report in life.reports)
    assert CANARY in str(direct.evidence)
    assert CANARY not in str(group.evidence)
    assert "conversations_message.text" not in places_of(CANARY)


@pytest.mark.embedded_only
@pytest.mark.parametrize("pragma", ["secure_delete"])
def test_every_connection_overwrites_what_it_frees(pragma):
    with connection.cursor() as cursor:
        cursor.execute(f"PRAGMA {pragma}")
        assert cursor.fetchone()[0] in (1, 2)
