"""Every command of operators on a database of 100,000 messages."""

from __future__ import annotations

import hashlib
import inspect
import json
import re
import stat
import tracemalloc
from contextlib import contextmanager
from datetime import timedelta
from io import StringIO
from pathlib import Path
from zipfile import ZipFile

import pytest
from django.apps import apps
from django.core.management import call_command, get_commands, load_command_class
from django.core.management.base import CommandError
from django.utils import timezone
from time_machine import travel

from accounts.models import Notice, Session, User
from accounts.tests.rest import device_of
from chatbot.models import Answer, Bot
from chatbot.selectors import unread_places
from chatbot.services.finding import find_questions
from common.commands import OperatorCommand
from common.ids import first_id_at
from common.models import Installation
from conversations.models import Conversation, Membership, Message
from presence.models import LastSeen
from tests.kit.bulk_dataset import IN_DIRECTS, MESSAGES, PEOPLE, remove_crowd, write_crowd
from tests.kit.documents import SERVED

MEGABYTE = 1024 * 1024
NEWS = "Tonight the chat is away."

pytestmark = [pytest.mark.django_db, pytest.mark.postgres, pytest.mark.slow]


@pytest.fixture(scope="module")
def _written(django_db_setup, django_db_blocker):
    """Committed, so that each test finds it, and takes its own changes back."""
    with django_db_blocker.unblock():
        now = timezone.now()
        try:
            yield write_crowd(now), now
        finally:
            remove_crowd()


@pytest.fixture
def crowd(_written, db):
    return _written[0]


@pytest.fixture
def now(_written):
    return _written[1]


def run(name, *arguments):
    """What a command prints; CommandError as raised."""
    output = StringIO()
    call_command(name, *map(str, arguments), stdout=output, stderr=StringIO())
    return output.getvalue()


@contextmanager
def little_memory(megabytes):
    tracemalloc.start()
    try:
        yield
        assert tracemalloc.get_traced_memory()[1] < megabytes * MEGABYTE
    finally:
        tracemalloc.stop()


def digest():
    """Of all rows of all tables."""
    total = hashlib.sha256()
    for model in apps.get_models():
        for row in model._default_manager.order_by("pk").values_list().iterator():
            total.update(repr(row).encode())
    return total.hexdigest()


# They start something, write a text, or change the tables or one user, whatever is stored.
WITHOUT_DATA = {
    *("asyncapi", "make_env", "make_signing_key", "rotate_signing_keys", "serve"),
    *("changepassword", "migrate"),
}
# `test_a_bot_finds_its_questions_however_long_the_log_is` does what it does with the log.
RUNS_ON = {"chatbot_worker"}


def test_every_command_that_looks_at_the_data_is_run_here():
    ours = {name: app for name, app in get_commands().items() if app.startswith(SERVED)}
    text = Path(__file__).read_text()
    run_here = set(re.findall(r'(?:run|call_command)\("(\w+)"', text))
    assert set(ours) - WITHOUT_DATA - RUNS_ON == run_here - {"rotate_signing_keys"}
    dry = inspect.getsource(test_dry_runs_change_nothing)
    for name in run_here:
        command = load_command_class(ours[name], name)
        assert isinstance(command, OperatorCommand), name
        assert not command.changes_data or f'run("{name}"' in dry, name


def test_dry_runs_change_nothing(crowd, tmp_path, settings):
    settings.DATA_DIR = tmp_path
    settings.SIGNING_KEYS_FILE = tmp_path / "signing_key"
    settings.SIGNING_KEYS_FILE.write_text("x" * 40)
    Installation.current_epoch()
    before, files = digest(), sorted(tmp_path.iterdir())
    assert "would delete 200" in run("purge_expired", "--dry-run")
    assert "would empty" in run("apply_retention", "--direct-days", 100, "--dry-run")
    assert "messages: " in run("export_user", "crowd0", "--output", tmp_path / "a", "--dry-run")
    report = ("--report", tmp_path / "r", "--messages", "empty")
    assert json.loads(run("erase_user", "crowd0", *report, "--dry-run"))["texts"] > 0
    assert "3 sessions" not in run("disconnect_user", "crowd0", "--sessions", "--dry-run")
    assert f"{PEOPLE} users" in run("broadcast_notice", NEWS, "--dry-run")
    assert "50 people" in run("seed_demo", "--users", 50, "--messages", 9, "--dry-run")
    assert "The epoch is " in run("bump_epoch", "--dry-run")
    assert "has 0 devices" in run("reset_second_factor", "crowd0", "--dry-run")
    assert "would make bot poet" in run("make_bot", "poet", "--dry-run")
    assert "local, k" in run("rotate_signing_keys", "add", "--dry-run")
    assert (digest(), sorted(tmp_path.iterdir())) == (before, files)


# --- check_log ----------------------------------------------------------------------------


def test_a_sound_log_of_any_length_is_checked_in_little_memory(crowd):
    with little_memory(16):
        assert f"Checked {1 + PEOPLE // 2} conversations: all is well." in run("check_log")
    assert "Checked 7 conversations" in run("check_log", "--sample", 7)
    assert "Checked 1 conversations" in run("check_log", "--conversation", crowd.group)


def findings(*arguments):
    """The lines of a check that finds something."""
    output = StringIO()
    with pytest.raises(CommandError) as refused:
        call_command("check_log", *map(str, arguments), stdout=output, stderr=StringIO())
    assert refused.value.returncode == 1
    return [line.split(": ", 1)[1] for line in output.getvalue().splitlines()]


def test_messages_of_no_conversation_are_found(crowd):
    lost = crowd.directs[50]
    Membership.objects.filter(conversation_id=lost).delete()
    Conversation.objects.filter(id=lost)._raw_delete("default")
    assert findings() == ["has messages, but is not there"]
    with pytest.raises(CommandError, match="There is no conversation"):
        run("check_log", "--conversation", lost)


def test_counters_are_repaired_and_nothing_else(crowd):
    Conversation.objects.filter(id=crowd.group).update(message_count=5, member_count=7)
    Membership.objects.filter(conversation_id=crowd.group, user_id=crowd.talker).update(
        read_number=99
    )
    assert len(findings("--conversation", crowd.group)) == 3
    assert "repaired all 3 findings" in run("check_log", "--repair")
    assert "all is well" in run("check_log")
    Message.objects.filter(conversation_id=crowd.directs[3], seq=30).delete()
    Conversation.objects.filter(id=crowd.group).update(member_count=7)
    with pytest.raises(CommandError, match="4 findings, 2 of them repaired"):
        run("check_log", "--repair")


# --- changing much --------------------------------------------------------------------------


def test_what_is_over_is_purged_and_what_is_not_stays(crowd):
    told = {"tickets": 400, "mail_codes": 400, "admin_logins": 0, "notices": 200, "sessions": 200}
    told |= {"contact_requests": 100, "invitations": 0}
    # Sessions that go take their tickets with them: these have none left by then.
    assert run("purge_expired") == "".join(f"{n}: deleted {c}\n" for n, c in told.items())
    assert run("purge_expired") == "".join(f"{n}: deleted 0\n" for n in told)
    assert Session.objects.filter(ended_at=None).count() == PEOPLE
    with pytest.raises(CommandError):
        run("purge_expired", "--days", 0)


def test_retention_empties_what_is_older_and_tells_it_in_the_log(crowd, now):
    before = now - timedelta(days=390)
    due = Message.objects.filter(kind="text", deleted_at=None, id__lt=first_id_at(before))
    told = {kind: due.filter(conversation__kind=kind).count() for kind in ("direct", "group")}
    assert told["direct"] >= 1_000
    days = ("--direct-days", 390, "--group-days", 390)
    with travel(now, tick=False):
        said = "".join(
            f"{kind}: emptied {count} messages.\n{kind}: emptied 0 copies in closed reports.\n"
            for kind, count in told.items()
        )
        assert run("apply_retention", *days) == said + "Emptied the evidence of 0 reports.\n"
    assert due.count() == 0
    direct = Conversation.objects.get(id=crowd.directs[0])
    emptied = Message.objects.filter(conversation=direct).exclude(deleted_at=None)
    changes = sorted(emptied.values_list("changed_seq", flat=True))
    assert changes == list(range(IN_DIRECTS + 1, direct.last_seq + 1))
    assert set(emptied.values_list("text", flat=True)) == {""}
    assert Message.objects.filter(kind="system").exclude(text="").count() == 1
    assert "all is well" in run("check_log")
    with travel(now, tick=False):
        assert "direct: emptied 0" in run("apply_retention", *days)
    assert "stay for ever" in run("apply_retention")


def test_an_export_has_all_that_is_somebodys_and_nothing_else(crowd, now, tmp_path):
    path = tmp_path / "crowd0.zip"
    LastSeen.objects.create(user_id=crowd.talker, at=now)
    with little_memory(16):
        run("export_user", "crowd0", "--output", path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    with ZipFile(path) as archive:
        texts = {name: archive.read(name).decode() for name in archive.namelist()}
    rows = {
        name.removesuffix(".jsonl"): [json.loads(line) for line in text.splitlines()]
        for name, text in texts.items()
        if name.endswith(".jsonl")
    }
    own = Message.objects.filter(sender_id=crowd.talker)
    assert len(rows["messages"]) == own.count() > 20_000
    assert {row["sender_id"] for row in rows["messages"]} == {str(crowd.talker)}
    counts = {name: len(lines) for name, lines in rows.items() if name != "messages"}
    assert counts == {
        "profile": 1,
        "sessions": 3,
        "notices": 3,
        "mail_codes": 3,
        "contacts": 1,
        "requests_sent": 0,
        "requests_received": 0,
        "blocks": 0,
        "memberships": 2,
        "groups_made": 0,
        "invitations_made": 0,
        "requests_to_join": 0,
        "reminders": 0,
        "reports_made": 0,
        "last_seen": 1,
        "second_factors": 0,
    }
    everything = "".join(texts.values())
    assert f"What {crowd.users[1]} says" not in everything
    assert f"{crowd.talker:064d}" not in everything
    assert "crowd1" not in everything
    with pytest.raises(CommandError, match="is there already"):
        run("export_user", crowd.talker, "--output", path)
    assert [file.name for file in tmp_path.iterdir()] == ["crowd0.zip"]


def test_an_erased_user_leaves_places_and_a_report(
    crowd, tmp_path, django_capture_on_commit_callbacks
):
    report = tmp_path / "report.json"
    told = Message.objects.filter(sender_id=crowd.talker, kind="text", deleted_at=None).count()
    with django_capture_on_commit_callbacks(execute=True):
        run("erase_user", "crowd0", "--messages", "empty", "--report", report)
    written = json.loads(report.read_text())
    assert written["user_id"] == str(crowd.talker)
    assert (written["before"]["texts"], written["after"]["texts"]) == (told, 0)
    assert stat.S_IMODE(report.stat().st_mode) == 0o600
    assert User.objects.get(id=crowd.talker).username != "crowd0"
    assert not Message.objects.filter(text__startswith=f"What {crowd.talker} says").exists()
    assert "all is well" in run("check_log")
    # The same once more goes on with the same user, whoever has the name by then.
    other = User.objects.create_user("crowd0", "other@example.org")
    run("erase_user", "crowd0", "--messages", "empty", "--report", report)
    # What others share with a user goes once it is committed, which here is after the command.
    after = json.loads(report.read_text())["after"]
    assert [after[name] for name in ("notices", "contacts", "mail_codes")] == [0] * 3
    other.refresh_from_db()
    assert other.is_active
    with pytest.raises(CommandError, match="is about crowd0"):
        run("erase_user", "crowd1", "--report", report)
    with pytest.raises(CommandError, match="There is no user"):
        run("erase_user", "nobody.here", "--report", tmp_path / "other")


def test_long_work_says_how_far_it_is_when_asked(crowd):
    for asked in ([], ["--progress"]):
        errors = StringIO()
        call_command("purge_expired", "--dry-run", *asked, stderr=errors, stdout=StringIO())
        assert errors.getvalue() == ""
        call_command("purge_expired", "--only", "notices", *asked, stderr=errors, stdout=StringIO())
        assert errors.getvalue() == "notices, deleted: 200 …\n" * len(asked)
        Notice.objects.filter(seen_at__isnull=False).update(seen_at="2025-01-01T00:00Z")


# --- bots -----------------------------------------------------------------------------------


def test_a_bot_finds_its_questions_however_long_the_log_is(crowd):
    assert "Made bot poet" in run("make_bot", "poet")
    poet = Bot.objects.get(user__username="poet")
    group = Conversation.objects.get(id=crowd.group)
    joined = group.message_count - 10_000
    Membership.objects.create(conversation=group, user_id=poet.user_id, joined_seq=joined)
    asked = [joined + 1, joined + 200, joined + 201, group.message_count + 1]
    Message.objects.filter(conversation=group, seq__in=[2, *asked]).update(text="and you, @poet?")
    while places := unread_places():
        for place in places:
            find_questions(place)
    found = Answer.objects.filter(bot=poet).order_by("question_seq")
    assert list(found.values_list("question_seq", flat=True)) == asked


# --- people, notices, figures -----------------------------------------------------------------


def test_everybody_is_told_once(crowd):
    User.objects.filter(id=crowd.users[3]).update(is_active=False)
    assert f"Told {PEOPLE - 1} users" in run("broadcast_notice", NEWS)
    assert "Told 0 users" in run("broadcast_notice", NEWS)
    assert "Told 1 users" in run("broadcast_notice", NEWS, "--name", "2", "--username", "crowd9")
    phone = device_of(User.objects.get(username="crowd9"))
    [newest, *_] = phone.get("/api/v1/me/notices").json()["results"]
    assert [newest[name] for name in ("kind", "text", "session_id", "seen_at")] == [
        *("announcement", NEWS),
        *(None, None),
    ]
    feeds = set(User.objects.filter(id__in=crowd.users[10:]).values_list("feed_seq", flat=True))
    assert feeds == {1}
    for wrong in ("", "two\nlines", "x" * 2_001):
        with pytest.raises(CommandError, match="text "):
            run("broadcast_notice", wrong)


def test_figures_are_those_of_the_database(crowd):
    Session.objects.filter(user_id=crowd.users[0]).update(ended_at=timezone.now())
    figures = json.loads(run("stats", "--exact", "--json"))
    assert figures["users"] == {
        "total": PEOPLE + 1,
        "here": PEOPLE + 1,
        "shut_out": 0,
        "deleted": 0,
        "bots": 1,
    }
    assert figures["sessions"] == PEOPLE - 1
    assert figures["conversations"] == {"direct": PEOPLE // 2, "group": 1}
    assert figures["messages"] == MESSAGES
    assert figures["database_bytes"] > 10 * MEGABYTE
    assert figures["redis"]["state"] in {"up", "not used"}
    estimated = json.loads(run("stats", "--json"))["messages"]
    assert abs(estimated - MESSAGES) < MESSAGES // 10
    assert "users, total" in run("stats")


def test_a_disconnected_user_keeps_the_sessions_unless_they_are_to_go(crowd):
    run("disconnect_user", "crowd0")
    assert User.objects.get(id=crowd.talker).disconnects == 1
    assert Session.objects.filter(user_id=crowd.talker, ended_at=None).count() == 1
    assert "Ended 1 sessions" in run("disconnect_user", crowd.talker, "--sessions")
    assert Session.objects.filter(user_id=crowd.talker, ended_at=None).count() == 0


def test_demo_people_are_made_once_and_what_is_missing_is_added(crowd, tmp_path, settings):
    settings.DATA_DIR = tmp_path
    first = run("seed_demo", "--users", 5, "--messages", 30)
    assert "They said 30 things" in first
    again = run("seed_demo", "--users", 7, "--messages", 40)
    assert "They said 10 things" in again
    assert first.splitlines()[:4] == again.splitlines()[:4]
    password = (tmp_path / "demo_passwords").read_text().split("demo* ")[1].strip()
    assert User.objects.get(username="demo7").check_password(password)
    [group] = Conversation.objects.filter(name="Demo")
    assert (group.member_count, group.message_count) == (7, 40)
    assert "all is well" in run("check_log", "--conversation", group.id)


def test_demo_people_come_into_production_only_if_that_is_meant(crowd, tmp_path, settings):
    settings.DATA_DIR, settings.PRODUCTION = tmp_path, True
    with pytest.raises(CommandError, match="--yes"):
        run("seed_demo")
    run("seed_demo", "--yes")
    assert User.objects.filter(username="alice").exists()
    assert Notice.objects.filter(kind="announcement").count() == 0


def test_a_new_epoch_is_made_however_much_there_is(crowd):
    assert "The epoch is now" in run("bump_epoch")
