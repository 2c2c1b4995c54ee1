"""One order of locks everywhere: sessions, users, conversations, memberships, by their ids.

Two transactions that take the same rows in the same order never wait for each other in a
circle. What every service locks is read from PostgreSQL's row headers while it runs.
"""

from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connection, transaction

from accounts.models import StatusFollowUp
from accounts.services import disconnect_user, erase_account, set_user_active, status_follow_up
from accounts.tests.rest import device_of, make_user
from chatbe.legacy_v1.bots import bring_bot
from chatbot.services.bots import ensure_default_bot
from common.errors import ChatError
from contacts.services import add_contact
from conversations.log.append import append_messages
from conversations.models import Conversation, Membership
from conversations.services.direct import open_direct
from conversations.services.sending import draft_message
from groups.services.leaving import leave_group
from groups.services.members import transfer_group
from groups.tests.people import make_circle
from moderation.models import Report
from moderation.services import groups as moderated_groups
from moderation.services import messages, reports, users
from moderation.tests.conftest import committed  # noqa: F401 - a fixture
from tests.kit.locks import LockRecorder
from tests.test_fail_closed import PREFIX, WRITES, World
from tools.processes import wait_until

pytestmark = [pytest.mark.postgres, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def world(settings):
    return World(settings)


def watch(work):
    """Run it; nothing it locks may break the order."""
    recorder = LockRecorder()
    with connection.execute_wrapper(recorder):
        result = work()
    assert recorder.faults == []
    return result, recorder


@pytest.mark.parametrize(("method", "path", "body"), WRITES, ids=str)
def test_no_write_over_rest_breaks_the_order(method, path, body, world):
    path, body = PREFIX + world.fill(path), world.fill(body)
    answer, _ = watch(lambda: getattr(world.device, method)(path, body))
    assert answer.status_code in {200, 201, 202, 204}


@pytest.fixture
def moderator(committed):  # noqa: F811 - that fixture
    user = make_user()
    user.is_staff = user.is_superuser = True
    user.save()
    return user


def reported(circle, moderator):
    """A report of a member's message in a group that is older than their direct conversations."""
    draft = draft_message(
        sender_id=circle.member.id,
        conversation_id=circle.id,
        client_id="bad",
        text="bad",
        reply_to=None,
    )
    [said] = append_messages([draft])
    open_direct(user_id=circle.member.id, other_id=circle.owner.id)
    report, _ = reports.report_message(
        reporter=circle.owner, conversation_id=circle.id, seq=said.message.seq, reason="spam"
    )
    return report


def test_no_moderator_breaks_it(moderator):
    circle = make_circle()
    report = reported(circle, moderator)
    place = {"actor": moderator, "reason": "why", "conversation_id": circle.id}
    everything = (
        lambda: reports.uphold_report(
            actor=moderator, report_id=report.id, note="n", deletes=True, bans=True
        ),
        lambda: users.unban_user(actor=moderator, user_id=circle.member.id, reason="why"),
        lambda: users.reset_sessions(actor=moderator, user_id=circle.admin.id, reason="why"),
        lambda: moderated_groups.change_role(
            **place, user_id=circle.admin.id, role=Membership.Role.OWNER
        ),
        lambda: moderated_groups.remove_member(**place, user_id=circle.member.id),
        lambda: users.change_staff(
            actor=moderator, user_id=circle.admin.id, is_staff=True, groups=[]
        ),
        lambda: moderated_groups.close_group(**place),
        lambda: disconnect_user(user_id=circle.admin.id),
        lambda: erase_account(user_id=circle.owner.id),
    )
    for work in everything:
        watch(work)
    assert Report.objects.get().status == Report.Status.UPHELD
    with pytest.raises(ChatError):
        messages.delete_message(**place, seq=report.seq)


def test_a_bot_that_is_brought_into_a_group_breaks_nothing():
    ensure_default_bot()
    circle = make_circle()
    watch(lambda: bring_bot(user_id=circle.owner.id, group_id=circle.id))
    members = Membership.objects.filter(conversation_id=circle.id, left_seq=None)
    assert members.filter(user__is_bot=True).exists()


def test_a_group_that_is_passed_on_and_left_breaks_nothing():
    circle = make_circle()
    # The new owner's membership is older than the old one's here, younger there.
    for owner, heir in ((circle.owner, circle.admin), (circle.admin, circle.owner)):
        watch(
            lambda o=owner, h=heir: transfer_group(
                user_id=o.id, conversation_id=circle.id, member_id=h.id
            )
        )
    watch(lambda: leave_group(user_id=circle.member.id, conversation_id=circle.id))


def test_sends_in_slow_mode_lock_memberships_as_receipts_do():
    circle = make_circle()
    Conversation.objects.filter(id=circle.id).update(slow_seconds=5)
    # In the opposite order of their memberships.
    senders = Membership.objects.filter(conversation_id=circle.id).order_by("-id")
    Membership.objects.filter(conversation_id=circle.id).update(role=Membership.Role.MEMBER)
    drafts = [
        draft_message(
            sender_id=sender, conversation_id=circle.id, client_id="c", text="t", reply_to=None
        )
        for sender in senders.values_list("user_id", flat=True)
    ]
    [first, *others] = sorted(senders.values_list("id", flat=True))
    rows = Membership.objects.filter(id__in=others).select_for_update(no_key=True, skip_locked=True)
    with ThreadPoolExecutor(1) as thread:
        with transaction.atomic():
            # As a batch of receipts does that has come to its first row.
            Membership.objects.select_for_update(no_key=True).get(id=first)
            sending = thread.submit(closing(append_messages), drafts)
            assert wait_until(somebody_waits_for_a_lock, 30)
            assert len(rows) == len(others)
        assert all(outcome.created for outcome in sending.result())


def closing(function):
    def run(*args):
        try:
            return function(*args)
        finally:
            connection.close()

    return run


def somebody_waits_for_a_lock():
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_locks WHERE NOT granted")
        return cursor.fetchone()[0] > 0


# --- coming and going of somebody whom many know


def known_by(count):
    user = make_user()
    for _ in range(count):
        other = make_user()
        add_contact(user=user, username=other.username)
        open_direct(user_id=user.id, other_id=other.id)
    return user


def writable(user):
    mine = Membership.objects.filter(user=user).values("conversation_id")
    return set(
        Membership.objects.filter(conversation_id__in=mine).values_list("may_send", flat=True)
    )


@pytest.mark.parametrize("gone", [False, True])
def test_no_transaction_locks_all_who_know_somebody(gone, monkeypatch):
    monkeypatch.setattr(status_follow_up, "BATCH", 2)
    user = known_by(7)
    if gone:
        _, recorder = watch(lambda: erase_account(user_id=user.id))
    else:
        _, recorder = watch(lambda: set_user_active(user_id=user.id, is_active=False))
    # Two others and the user, two conversations with two members each.
    assert recorder.most_held <= 3 + 2 + 4
    assert writable(user) == {False}
    assert not StatusFollowUp.objects.exists()


@pytest.mark.parametrize("is_active", [False, True])
def test_what_was_cut_short_is_finished_by_whoever_finds_it(is_active, monkeypatch):
    monkeypatch.setattr(status_follow_up, "BATCH", 2)
    monkeypatch.setattr(status_follow_up, "PATIENCE", status_follow_up.PATIENCE * 0)
    user = known_by(5)
    if is_active:
        set_user_active(user_id=user.id, is_active=False)
    follow, calls = status_follow_up._follow, []

    def die(user_id, other_ids):
        calls.append(other_ids)
        if len(calls) == 2:
            raise RuntimeError
        follow(user_id, other_ids)

    with monkeypatch.context() as patch:
        patch.setattr(status_follow_up, "_follow", die)
        assert set_user_active(user_id=user.id, is_active=is_active)
    assert len(writable(user)) == 2
    assert status_follow_up.finish_follow_ups() == 1
    assert writable(user) == {is_active}
    assert status_follow_up.finish_follow_ups() == 0


def test_one_whose_rest_fails_keeps_no_other_waiting(monkeypatch):
    monkeypatch.setattr(status_follow_up, "PATIENCE", status_follow_up.PATIENCE * 0)
    users = [known_by(2) for _ in range(3)]
    follow = status_follow_up._follow

    def fail_for(broken):
        def fail(user_id, other_ids):
            if user_id in broken:
                raise RuntimeError
            follow(user_id, other_ids)

        return fail

    with monkeypatch.context() as patch:
        patch.setattr(status_follow_up, "_follow", fail_for({user.id for user in users}))
        for user in users:
            set_user_active(user_id=user.id, is_active=False)
        # The one that is tried first goes on failing.
        patch.setattr(status_follow_up, "_follow", fail_for({users[0].id}))
        assert status_follow_up.finish_follow_ups() == 2
    assert [writable(user) for user in users[1:]] == [{False}, {False}]
    assert StatusFollowUp.objects.get().user_id == users[0].id


def test_a_ban_ends_sessions_at_once_whatever_becomes_of_the_rest(monkeypatch):
    user = known_by(1)
    session = device_of(user).tokens.session
    monkeypatch.setattr(status_follow_up, "_affected", lambda _: 1 / 0)
    set_user_active(user_id=user.id, is_active=False)
    session.refresh_from_db()
    assert session.ended_at is not None
    assert StatusFollowUp.objects.filter(user=user).exists()
