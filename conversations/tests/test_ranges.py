"""What one statement reads of many logs has a bound in bytes, and leaves nothing out."""

import pytest

from accounts.tests.rest import make_user
from conversations.log.append import append_messages
from conversations.models import Conversation, Membership
from conversations.selectors.lists import IDS_MAX
from conversations.services.edits import edit_message
from conversations.tests.people import draft
from realtime.sources import ANNOUNCED_PER_READ, READ_BYTES, ChangedRow, RangeRequest, Sources

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.both_databases]

LONGEST = "😀" * 8_000
ROW_BYTES = 1_000


@pytest.fixture
def alice():
    return make_user("alice")


def log_of(user, texts):
    conversation = Conversation.objects.create(kind=Conversation.Kind.GROUP, member_count=1)
    Membership.objects.create(conversation=conversation, user=user)
    append_messages([draft(user, conversation.id, text) for text in texts])
    return conversation.id


def read_all(user, conversation_ids, limit=500):
    """Every conversation from its start to its end: its changes, and the bytes of each read."""
    cursors = dict.fromkeys(conversation_ids, 0)
    found: dict[int, list[ChangedRow]] = {id: [] for id in conversation_ids}
    sizes = []
    while cursors:
        requests = [RangeRequest(id, after) for id, after in cursors.items()]
        ranges = Sources.log.ranges(requests, [user.id], limit)
        sizes.append(sum(len(change.body) for one in ranges for change in one.changes))
        assert {one.conversation_id for one in ranges} == set(cursors)
        assert any(one.to > one.after for one in ranges)
        for one in ranges:
            assert all(one.after < change.changed_seq <= one.to for change in one.changes)
            found[one.conversation_id] += one.changes
            cursors[one.conversation_id] = one.to
            if one.to == one.head:
                del cursors[one.conversation_id]
    return {id: [c.changed_seq for c in changes] for id, changes in found.items()}, sizes


def test_the_longest_messages_are_read_a_few_at_a_time(alice):
    long, longer = log_of(alice, [LONGEST] * 40), log_of(alice, [LONGEST] * 60)
    changes, sizes = read_all(alice, [long, longer])
    assert changes == {long: list(range(1, 41)), longer: list(range(1, 61))}
    assert max(sizes) < READ_BYTES + len(LONGEST.encode()) + ROW_BYTES
    assert len(sizes) >= 6


def test_short_messages_are_read_by_one_statement(alice):
    logs = [log_of(alice, ["hello"] * 100) for _ in range(3)]
    changes, sizes = read_all(alice, logs)
    assert len(sizes) == 1
    assert changes == {id: list(range(1, 101)) for id in logs}


def test_a_short_log_does_not_wait_for_a_long_one(alice):
    logs = [log_of(alice, [LONGEST] * 60), log_of(alice, ["hello"] * 3)]
    for order in (logs, logs[::-1]):
        first = Sources.log.ranges([RangeRequest(id, 0) for id in order], [alice.id], 500)
        assert {one.conversation_id: one.to for one in first}[logs[1]] == 3


def test_changes_of_old_rows_are_counted_and_cut_like_new_ones(alice):
    log = log_of(alice, [LONGEST] * 30)
    for seq in (3, 7, 29):
        edit_message(user_id=alice.id, conversation_id=log, seq=seq, text="short")
        edit_message(user_id=alice.id, conversation_id=log, seq=seq, text=LONGEST)
    changes, sizes = read_all(alice, [log])
    edited = {32: 3, 34: 7, 36: 29}
    assert changes == {log: [n for n in range(1, 31) if n not in edited.values()] + list(edited)}
    assert max(sizes) < READ_BYTES + len(LONGEST.encode()) + ROW_BYTES


@pytest.mark.parametrize("count", [15, 16, 17, 18])
def test_nothing_is_missed_where_the_bound_falls_on_the_last_row(alice, count):
    log = log_of(alice, [LONGEST] * count)
    changes, sizes = read_all(alice, [log])
    assert changes == {log: list(range(1, count + 1))}
    assert len(sizes) == (1 if count < 18 else 2)


@pytest.mark.parametrize("count", [40, IDS_MAX + 20])
def test_conversations_with_long_last_messages_are_announced_a_few_at_a_time(alice, count):
    long = [log_of(alice, [LONGEST]) for _ in range(count)]
    short, empty = log_of(alice, ["hello"]), log_of(alice, [])
    left = made = [*long, short, empty]
    told: dict[int, bytes] = {}
    reads = 0
    while left:
        found = Sources.log.announcements({alice.id: left})[alice.id]
        assert found.keys() == set(left)
        new = {id: one.body for id, one in found.items() if one is not None}
        assert new
        assert sum(map(len, new.values())) < READ_BYTES + count * ROW_BYTES + len(LONGEST.encode())
        told |= new
        left = [id for id in made if id not in told][:ANNOUNCED_PER_READ]
        reads += 1
    assert told.keys() == set(made)
    assert all(LONGEST.encode() in told[id] for id in long)
    assert b"hello" in told[short]
    assert reads >= count * 32_000 / READ_BYTES


def test_conversations_with_short_last_messages_are_announced_by_one_read(alice):
    assert ANNOUNCED_PER_READ <= IDS_MAX
    made = [log_of(alice, ["hello"]) for _ in range(IDS_MAX + 20)]
    found = Sources.log.announcements({alice.id: made})[alice.id]
    assert found.keys() == set(made)
    assert None not in found.values()
