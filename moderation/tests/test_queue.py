"""The queue of reports and deleting messages, as moderators do it."""

import pytest

from accounts.models import User
from conversations.models import Message
from conversations.tests.people import make_friends, post
from moderation.models import AuditEntry, Report
from moderation.tests.people import (
    WHY,
    audited,
    do,
    do_to_all,
    make_moderator,
    page,
    staff_with,
    told,
)
from tests.kit.concurrency import run_together

pytestmark = pytest.mark.usefixtures("committed")


@pytest.fixture
def friends():
    friends = make_friends()
    post(friends.phone, friends.conversation_id, "buy this")
    return friends


@pytest.fixture
def moderator():
    return make_moderator()


@pytest.fixture
def message(friends):
    return Message.objects.get(conversation_id=friends.conversation_id)


@pytest.fixture
def report(friends, message):
    place = {"conversation_id": str(friends.conversation_id), "seq": 1, "reason": "spam"}
    answer = friends.tablet.post("/api/v1/reports", place)
    return Report.objects.get(id=int(answer.json()["id"]))


def listed(client, query=""):
    answer = client.get(page(Report, "changelist") + query)
    return [row.id for row in answer.context["cl"].result_list]


def test_the_queue_shows_what_waits_and_the_rest_when_asked(moderator, friends, report):
    handled = Report.objects.create(
        reporter=friends.bob, user=friends.alice, kind="user", reason="hate", status="dismissed"
    )
    assert listed(moderator) == [report.id]
    assert listed(moderator, "?status=dismissed") == [handled.id]
    assert listed(moderator, "?status=upheld") == []
    assert listed(moderator, "?status=all") == [handled.id, report.id]
    assert listed(moderator, "?status=nonsense") == [report.id]


def test_a_report_is_upheld_with_what_follows_from_it(moderator, friends, message, report):
    answer = do(moderator, "uphold", report, bans="on", deletes="on")
    assert told(answer) == ["1 of 1: upheld."]
    report.refresh_from_db()
    message.refresh_from_db()
    assert (report.status, report.handled_by, report.note) == ("upheld", moderator.user, WHY)
    assert (message.text, message.deleted_at is not None) == ("", True)
    assert not User.objects.get(id=friends.alice.id).is_active
    me = moderator.user.id
    assert audited() == [
        (me, "user.banned", friends.alice.id, WHY),
        (me, "message.deleted", friends.conversation_id, WHY),
        (me, "report.upheld", report.id, WHY),
    ]
    assert friends.tablet.get("/api/v1/reports").json()["results"][0]["status"] == "upheld"


def test_upholding_alone_does_nothing_else(moderator, friends, message, report):
    do(moderator, "uphold", report)
    message.refresh_from_db()
    assert (message.deleted_at, User.objects.get(id=friends.alice.id).is_active) == (None, True)


def test_what_was_done_before_does_not_stand_in_the_way(moderator, friends, message, report):
    do(moderator, "ban", friends.alice)
    do(moderator, "delete", message)
    assert told(do(moderator, "uphold", report, bans="on", deletes="on")) == ["1 of 1: upheld."]


def test_many_reports_are_dismissed_together(moderator, friends, report):
    answer = friends.phone.post(
        "/api/v1/reports", {"user_id": str(friends.bob.id), "reason": "other"}
    )
    other = Report.objects.get(id=int(answer.json()["id"]))
    asked = do_to_all(moderator, "dismiss", report, other)
    assert asked.context["form"].fields.keys() == {"reason"}
    assert told(do_to_all(moderator, "dismiss", report, other, reason="no")) == [
        "2 of 2: dismissed."
    ]
    assert listed(moderator) == []
    assert {why for _, _, _, why in audited()} == {"no"}


def test_upholding_gives_no_right_that_one_lacks(friends, message, report):
    helper = staff_with("moderation.view_report", "moderation.change_report")
    assert helper.get(page(report, "action", "uphold")).context["form"].fields.keys() == {"reason"}
    do(helper, "uphold", report, bans="on", deletes="on")
    message.refresh_from_db()
    assert (message.deleted_at, User.objects.get(id=friends.alice.id).is_active) == (None, True)
    assert [action for _, action, _, _ in audited()] == ["report.upheld"]


def test_who_may_only_look_handles_nothing(report):
    watcher = staff_with("moderation.view_report")
    for name in ("uphold", "dismiss"):
        assert do(watcher, name, report).status_code == 403
        do_to_all(watcher, name, report, reason=WHY)
    report.refresh_from_db()
    assert (report.status, audited()) == ("open", [])


def test_a_ban_that_is_refused_leaves_the_report_open(moderator, friends, report):
    User.objects.filter(id=friends.alice.id).update(is_staff=True)
    answer = do(moderator, "uphold", report, bans="on", deletes="on")
    assert "superusers" in told(answer)[0]
    report.refresh_from_db()
    assert (report.status, audited()) == ("open", [])


def test_of_two_moderators_at_once_one_handles_a_report(friends, message, report):
    moderators = make_moderator(), make_moderator()
    for _ in range(10):
        run_together(
            [
                lambda: do(moderators[0], "uphold", report, bans="on", deletes="on"),
                lambda: do(moderators[1], "dismiss", report, reason="fine"),
            ]
        )
        report.refresh_from_db()
        alice = User.objects.get(id=friends.alice.id)
        if report.status == "upheld":
            assert (alice.is_active, report.handled_by) == (False, moderators[0].user)
        else:
            assert (alice.is_active, report.note) == (True, "fine")
        handled = AuditEntry.objects.filter(target_kind="report", target_id=report.id)
        assert [entry.action for entry in handled] == [f"report.{report.status}"]
        start_again(report)


def start_again(report):
    User.objects.update(is_active=True)
    report.pk = report.id = None
    Report.objects.all().delete()
    report.status = "open"
    report.handled_by = report.handled_at = None
    report.id = AuditEntry.objects.order_by("-id").first().id + 1
    report.save(force_insert=True)


def test_two_moderators_who_ban_at_once_are_noted_once(friends):
    moderators = make_moderator(), make_moderator()
    answers = run_together([lambda m=m: do(m, "ban", friends.alice) for m in moderators])
    # What a test client says of templates is mixed up between threads; the pages are not.
    form_data = [answer.content.decode() for answer in answers]
    assert sorted("banned already" in text for text in form_data) == [False, True]
    assert [action for _, action, _, _ in audited()] == ["user.banned"]


# --- messages


def test_a_message_is_deleted_for_everyone(moderator, friends, message):
    assert told(do(moderator, "delete", message)) == ["1 of 1: deleted for everyone."]
    [shown] = friends.tablet.get(friends.messages).json()["results"]
    assert (shown["text"], shown["deleted_at"] is not None) == ("", True)
    assert shown["changed_seq"] == 2
    entry = AuditEntry.objects.get()
    assert (entry.action, entry.target_id) == ("message.deleted", friends.conversation_id)
    assert entry.details == {
        "seq": 1,
        "message_id": str(message.id),
        "sender_id": str(friends.alice.id),
    }
    assert "already" in told(do(moderator, "delete", message))[0]
    assert AuditEntry.objects.count() == 1


def test_a_message_is_found_by_conversation_and_position(moderator, friends, message):
    post(friends.phone, friends.conversation_id, "more")

    def found(term):
        answer = moderator.get(page(Message, "changelist"), {"q": term})
        return [row.seq for row in answer.context["cl"].result_list]

    assert found(f"{friends.conversation_id}/1") == [1]
    assert found(f" {friends.conversation_id} / 2 ") == [2]
    assert found(str(message.id)) == [1]
    assert found(str(friends.conversation_id)) == [2, 1]
    for odd in ("/", "1/", "/1", f"{friends.conversation_id}/x", f"{friends.conversation_id}/9"):
        assert found(odd) == []


def test_who_may_not_delete_messages_does_not(friends, message):
    watcher = staff_with("conversations.view_message")
    assert do(watcher, "delete", message).status_code == 403
    do_to_all(watcher, "delete", message, reason=WHY)
    message.refresh_from_db()
    assert (message.deleted_at, audited()) == (None, [])
