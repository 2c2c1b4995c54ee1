"""Reporting a message or a user over REST."""

import pytest

from accounts.services import delete_account
from accounts.tests.rest import device_of, make_user, same_answer
from common.limits import window
from contacts.services import block_user
from conversations.services.edits import delete_for_everyone
from conversations.tests.people import join, leave, make_friends, make_group, post
from moderation.models import Report
from moderation.services.reports import EVIDENCE_MESSAGES
from tests.kit.concurrency import run_together
from tests.kit.secret_scan import PASSWORD

REPORTS = "/api/v1/reports"

pytestmark = pytest.mark.usefixtures("committed")


@pytest.fixture
def friends():
    window.forget_everything()
    friends = make_friends()
    for number in range(1, 9):
        post(friends.phone, friends.conversation_id, f"text {number}")
    return friends


def report(client, conversation_id, seq, **fields):
    place = {"conversation_id": str(conversation_id), "seq": seq}
    return client.post(REPORTS, {"reason": "spam", **place, **fields})


def report_user(client, user, **fields):
    return client.post(REPORTS, {"reason": "spam", "user_id": str(user.id), **fields})


def test_a_message_is_reported_with_what_was_said_before_it(friends):
    answer = report(friends.tablet, friends.conversation_id, 7, comment="look at\nthis")
    assert answer.status_code == 201
    row = Report.objects.get()
    assert answer.json() == {
        "id": str(row.id),
        "kind": "message",
        "user_id": str(friends.alice.id),
        "conversation_id": str(friends.conversation_id),
        "seq": 7,
        "reason": "spam",
        "status": "open",
        "created_at": answer.json()["created_at"],
    }
    assert (row.reporter, row.user, row.comment) == (friends.bob, friends.alice, "look at\nthis")
    form_data = row.evidence["messages"]
    assert [message["text"] for message in form_data] == [f"text {n}" for n in range(2, 8)]
    assert len(form_data) == EVIDENCE_MESSAGES


def test_the_evidence_stays_when_the_message_goes(friends):
    report(friends.tablet, friends.conversation_id, 2)
    delete_for_everyone(conversation_id=friends.conversation_id, seq=2)
    form_data = Report.objects.get().evidence["messages"]
    assert [message["text"] for message in form_data] == ["text 1", "text 2"]


def test_a_user_is_reported_with_their_profile(friends):
    answer = report_user(friends.phone, friends.bob, reason="impersonation")
    assert answer.status_code == 201
    assert (answer.json()["kind"], answer.json()["seq"]) == ("user", None)
    profile = {"username": friends.bob.username, "display_name": "", "about": ""}
    assert Report.objects.get().evidence == {"user": profile}


def test_the_same_again_is_the_same_report_until_it_was_handled(friends):
    first = report(friends.tablet, friends.conversation_id, 7)
    again = report(friends.tablet, friends.conversation_id, 7, reason="hate", comment="more")
    assert (again.status_code, again.json()) == (200, first.json())
    assert report_user(friends.tablet, friends.alice).status_code == 201
    assert report_user(friends.tablet, friends.alice).status_code == 200
    assert report(friends.tablet, friends.conversation_id, 8).status_code == 201
    assert Report.objects.count() == 3
    Report.objects.update(status="dismissed")
    assert report(friends.tablet, friends.conversation_id, 7).status_code == 201


def test_the_same_report_many_times_at_once_is_one(friends):
    answers = run_together([lambda: report(friends.tablet, friends.conversation_id, 7)] * 8)
    assert sorted(answer.status_code for answer in answers) == [200] * 7 + [201]
    assert Report.objects.count() == 1


def test_only_what_one_can_see_is_reported(friends):
    """S6: what is hidden, foreign or absent is answered for alike."""
    carol = make_user()
    stranger = device_of(carol)
    absent = report(stranger, 2**62, 1)
    assert absent.status_code == 404
    assert same_answer(absent, report(stranger, friends.conversation_id, 7))
    assert same_answer(absent, report(friends.tablet, friends.conversation_id, 9))
    assert same_answer(absent, report(friends.tablet, friends.conversation_id, 2**63 - 1))
    group = make_group(friends.alice)
    for text in ("before", "after"):
        post(friends.phone, group, text)
        if text == "before":
            join(group, carol)
    assert same_answer(absent, report(stranger, group, 1))
    assert report(stranger, group, 2).status_code == 201
    [form_data] = Report.objects.get().evidence["messages"]
    assert form_data["text"] == "after"
    leave(group, carol)
    Report.objects.all().delete()
    assert same_answer(absent, report(stranger, group, 2))


def test_a_user_who_is_gone_for_the_reporter_is_reported_by_a_message_only(friends):
    block_user(user=friends.alice, other_id=friends.bob.id)
    absent = friends.tablet.post(REPORTS, {"user_id": str(2**62), "reason": "spam"})
    assert absent.status_code == 404
    assert same_answer(absent, report_user(friends.tablet, friends.alice))
    assert report(friends.tablet, friends.conversation_id, 7).status_code == 201


def test_nobody_reports_themselves(friends):
    assert report_user(friends.phone, friends.alice).status_code == 400
    assert report(friends.phone, friends.conversation_id, 7).status_code == 400


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"reason": "spam"},
        {"reason": "spam", "seq": 1},
        {"reason": "spam", "conversation_id": "1"},
        {"reason": "spam", "conversation_id": "1", "seq": 1, "user_id": "1"},
        {"reason": "boring", "user_id": "1"},
        {"reason": "spam", "user_id": "1", "status": "upheld"},
        {"reason": "spam", "conversation_id": "1", "seq": 0},
        {"reason": "spam", "conversation_id": "1", "seq": 2**63},
    ],
    ids=str,
)
def test_what_is_no_report_is_refused(friends, body):
    assert friends.phone.post(REPORTS, body).status_code == 400


def test_a_comment_is_bounded_and_clean(friends):
    for comment in ("x" * 1001, "\x00", " "):
        assert report_user(friends.phone, friends.bob, comment=comment).status_code == 400
    assert report_user(friends.phone, friends.bob, comment="").status_code == 201


def test_reports_are_limited_and_repeats_cost_nothing(friends, settings):
    settings.REPORTS_PER_USER = "2/hour"
    codes = [
        report(friends.tablet, friends.conversation_id, seq).status_code
        for seq in (1, 1, 1, 2, 2, 3, 1)
    ]
    assert codes == [201, 200, 200, 201, 200, 429, 200]
    assert report_user(friends.phone, friends.bob).status_code == 201


def test_ones_own_reports_are_listed_the_newest_first(friends):
    ids = [report(friends.tablet, friends.conversation_id, seq).json()["id"] for seq in (1, 2, 3)]
    Report.objects.filter(id=int(ids[0])).update(status="upheld", note="for moderators only")
    first = friends.tablet.get(REPORTS, {"limit": 2}).json()
    assert [row["id"] for row in first["results"]] == ids[:0:-1]
    rest = friends.tablet.get(REPORTS, {"after": first["next"]})
    assert [(row["id"], row["status"]) for row in rest.json()["results"]] == [(ids[0], "upheld")]
    assert "moderators" not in rest.content.decode()
    assert friends.phone.get(REPORTS).json()["results"] == []


def test_reporting_costs_a_fixed_number_of_queries(friends, django_assert_num_queries):
    # The session, what one can see, whether it is known, and the row in a savepoint.
    with django_assert_num_queries(6):
        report(friends.tablet, friends.conversation_id, 7)
    with django_assert_num_queries(3):
        report(friends.tablet, friends.conversation_id, 7)
    report(friends.tablet, friends.conversation_id, 6)
    with django_assert_num_queries(2):
        friends.tablet.get(REPORTS)


def test_a_deleted_account_leaves_no_words_and_no_profile_in_reports(friends):

    report_user(friends.phone, friends.bob, comment="my name is Alice")
    report_user(friends.tablet, friends.alice, comment="hers is")
    report(friends.tablet, friends.conversation_id, 7)
    friends.alice.set_password(PASSWORD)
    friends.alice.save()
    delete_account(user=friends.alice, password=PASSWORD)
    mine = Report.objects.get(reporter=friends.alice)
    assert (mine.comment, mine.evidence["user"]["username"]) == ("", friends.bob.username)
    about = Report.objects.filter(reporter=friends.bob).order_by("id")
    assert [row.evidence.keys() for row in about] == [set(), {"messages"}]
    assert about[0].comment == "hers is"
