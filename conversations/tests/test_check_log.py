"""What `check_log` finds, and what it must not take for a fault."""

from io import StringIO

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from django.db import connection

from conversations.log.append import append_messages
from conversations.models import Conversation
from conversations.selectors import log_streams
from conversations.tests.people import draft, make_friends

LENGTH = 12

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]


@pytest.fixture
def friends():
    """Two who have said twelve things."""
    friends = make_friends()
    append_messages([draft(friends.alice, friends.conversation_id) for _ in range(LENGTH)])
    return friends


def check(friends):
    """What the check of their conversation finds."""
    output, code = StringIO(), 0
    try:
        call_command("check_log", conversation=friends.conversation_id, stdout=output)
    except CommandError as found:
        code = found.returncode
    lines = output.getvalue().splitlines()
    said = lines == ["Checked 1 conversations: all is well."]
    assert code == (0 if said else 1)
    return [] if said else [line.split(": ", 1)[1] for line in lines]


DAMAGE = {
    "a row is gone": (
        "DELETE FROM conversations_message WHERE conversation_id = {id} AND seq = 7",
        ["positions 7 to 7 are missing", "the number at 8 does not follow that at 6"],
    ),
    "the first is gone": (
        "DELETE FROM conversations_message WHERE conversation_id = {id} AND seq = 1",
        ["positions 1 to 1 are missing", "the number at 2 does not begin the count"],
    ),
    "the last is gone": (
        "DELETE FROM conversations_message WHERE conversation_id = {id} AND seq = 12",
        ["positions 12 to 12 are missing"],
    ),
    "the end went back": (
        "UPDATE conversations_conversation SET last_seq = 11 WHERE id = {id}",
        ["position 12 is beyond its end"],
    ),
    "the end went on": (
        "UPDATE conversations_conversation SET last_seq = 14 WHERE id = {id}",
        ["positions 13 to 14 are missing"],
    ),
    "a position was taken twice": (
        "UPDATE conversations_message SET changed_seq = 9 WHERE conversation_id = {id} AND seq = 5",
        ["position 9 was taken twice"],
    ),
    "a number is another": (
        "UPDATE conversations_message SET number = 5 WHERE conversation_id = {id} AND seq = 6",
        ["the number at 6 does not follow that at 5", "the number at 7 does not follow that at 6"],
    ),
    "a reply to the future": (
        "UPDATE conversations_message SET reply_to = 9 WHERE conversation_id = {id} AND seq = 9",
        ["9 replies to nothing before it"],
    ),
    "a tombstone that still says it": (
        (
            "UPDATE conversations_message SET deleted_at = created_at"
            " WHERE conversation_id = {id} AND seq = 9"
        ),
        ["9 is deleted, but has a text or no change"],
    ),
    "a pointer beyond the end": (
        (
            "UPDATE conversations_membership SET delivered_seq = 13"
            " WHERE conversation_id = {id} AND user_id = {user}"
        ),
        ["user {user}: read_seq is 0 and delivered_seq 13, the log ends at 12"],
    ),
    "somebody left a direct conversation": (
        (
            "UPDATE conversations_membership SET left_seq = 9"
            " WHERE conversation_id = {id} AND user_id = {user}"
        ),
        ["is direct, but not between the two it names", "member_count is 2, not 1"],
    ),
    "a direct conversation of nobody": (
        "UPDATE conversations_conversation SET low_user_id = NULL WHERE id = {id}",
        ["is direct, but not between the two it names"],
    ),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_what_is_wrong_is_found(friends, damage):
    assert check(friends) == []
    sql, told = DAMAGE[damage]
    names = {"id": friends.conversation_id, "user": friends.alice.id}
    with connection.cursor() as cursor:
        cursor.execute(sql.format(**names))
    assert set(check(friends)) >= {line.format(**names) for line in told}


def test_a_gap_that_edits_cannot_have_left_is_found_beside_one_that_they_have(friends):
    """A message that was edited again leaves the place of its edit; nothing else does."""
    for text in ("once", "twice"):
        friends.phone.patch(f"{friends.messages}/5", {"text": text})
    assert check(friends) == []
    Conversation.objects.update(last_seq=LENGTH + 3)
    assert check(friends) == [f"positions {LENGTH + 3} to {LENGTH + 3} are missing"]


def test_a_deletion_explains_no_gap(friends):
    assert friends.phone.delete(f"{friends.messages}/5").status_code == 200
    assert check(friends) == []
    with connection.cursor() as cursor:
        cursor.execute("UPDATE conversations_message SET changed_seq = 14 WHERE changed_seq = 13")
    Conversation.objects.update(last_seq=LENGTH + 2)
    assert check(friends) == [f"positions {LENGTH + 1} to {LENGTH + 1} are missing"]


def test_a_check_that_is_overtaken_by_an_edit_finds_nothing(friends, monkeypatch):
    """The edit leaves a position that has not been looked at for one that has."""
    phone, place = friends.phone, friends.messages
    assert phone.patch(f"{place}/5", {"text": "once"}).json()["changed_seq"] == LENGTH + 1
    assert phone.delete(f"{place}/7").json()["changed_seq"] == LENGTH + 2
    edits = iter([{"text": "twice"}])

    def overtake(execute, sql, params, many, context):
        result = execute(sql, params, many, context)
        if "m.changed_seq > m.seq" in sql and (edit := next(edits, None)):
            assert phone.patch(f"{place}/5", edit).json()["changed_seq"] == LENGTH + 3
        return result

    monkeypatch.setattr(log_streams, "PAGE", 1)
    with connection.execute_wrapper(overtake):
        assert check(friends) == []
    assert next(edits, None) is None
    assert check(friends) == []
