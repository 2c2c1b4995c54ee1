"""The figures on the admin's start page: who sees them, what they say, what they cost."""

from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts.models import Session, User
from accounts.tests.rest import device_of, make_user
from chatbe.staff import dashboard
from common.ids import first_id_at
from conversations.models import Message
from conversations.tests.people import make_friends, post
from moderation.models import Report
from moderation.tests.people import make_moderator, make_superuser, staff_with
from realtime.node import current_node
from tests.kit.secret_scan import PASSWORD
from tools.processes import wait_until

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.both_databases]


def figures(client):
    """The figures on somebody's start page."""
    context = client.get("/admin/").context
    return {figure.label: figure.value for figure in context.get("figures", ())}


def number(figure):
    """What a figure such as "1,000" says: some count since the process started."""
    return int(figure.replace(",", ""))


def test_figures_are_for_who_may_see_them(client):
    assert figures(make_superuser()).keys() == figures(make_moderator()).keys()
    assert figures(staff_with("moderation.view_figures"))
    assert figures(staff_with("accounts.view_user")) == {}
    assert client.get("/admin/").status_code == 302


def test_the_figures_say_what_is_there(client, settings):
    moderator = make_moderator()
    # The first beat has to come back.
    assert wait_until(lambda: current_node().bus.up, 20)
    before = figures(moderator)
    friends = make_friends()
    post(friends.phone, friends.conversation_id, "hello")
    friends.tablet.post("/api/v1/reports", {"user_id": str(friends.alice.id), "reason": "spam"})
    make_user("keeper", password=PASSWORD)
    wrong = {"login": "keeper", "password": "not this"}
    client.post("/api/v1/auth/login", wrong, content_type="application/json")
    gone = timezone.now() - timedelta(days=2)
    device_of(make_user())
    Session.objects.filter(user__username__startswith="user").update(last_used_at=gone)
    now = figures(moderator)
    risen = {
        label: number(value) - number(before[label])
        for label, value in now.items()
        if value.replace(",", "").isdigit() and value != before[label] and label != "Processes"
    }
    assert risen == {
        "Open reports": 1,
        "Users": 4,
        "Users seen in 24 hours": 2,
        "Messages in the last hour": 1,
        "Messages in 24 hours": 1,
        "Failed logins since the start": 1,
    }
    assert now["Bus between them"] == "up"
    # Servers of other tests come and go in a Redis that all of them share.
    assert number(now["Processes"]) == 1 or (settings.REDIS_URL and number(now["Processes"]) > 1)
    assert now["Database"] != "0 bytes"


def test_old_messages_are_not_counted():
    moderator = make_moderator()
    friends = make_friends()
    for hours, told in ((0.5, ("1", "1")), (2, ("0", "1")), (25, ("0", "0"))):
        then = timezone.now() - timedelta(hours=hours)
        Message.objects.all().delete()
        place = {"seq": 1, "changed_seq": 1, "number": 1, "client_id": "c", "digest": b""}
        Message.objects.create(
            **place,
            id=first_id_at(then),
            conversation_id=friends.conversation_id,
            sender=friends.alice,
            text="hello",
            created_at=then,
        )
        now = figures(moderator)
        assert (now["Messages in the last hour"], now["Messages in 24 hours"]) == told


def test_beyond_a_bound_nothing_is_counted(monkeypatch):
    moderator = make_moderator()
    monkeypatch.setattr(dashboard, "BOUND", 3)
    people = [make_user() for _ in range(6)]
    for user in people[:4]:
        device_of(user)
    Report.objects.bulk_create(
        Report(reporter=people[0], user=user, kind="user", reason="spam") for user in people[1:]
    )
    now = figures(moderator)
    for label in ("Users", "Open reports"):
        assert now[label].startswith(("about ", "3 or more")), label
    assert now["Users seen in 24 hours"] == "3 or more"
    User.objects.filter(id__in=[make_user().id for _ in range(5)]).update(about="more")
    before = count_queries(moderator)
    for _ in range(10):
        device_of(make_user())
    assert count_queries(moderator) == before
    assert before <= 15


def count_queries(client):
    with CaptureQueriesContext(connection) as asked:
        assert client.get("/admin/").status_code == 200
    return len(asked)
