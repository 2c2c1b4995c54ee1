"""Pages, ranges and lists end where their texts get too many bytes, and lose nothing by it."""

import pytest

from chatbe.legacy_v1.selectors import newest_messages_of, newest_private_messages
from conversations.selectors.log import access_changes
from conversations.tests.people import CONVERSATIONS, make_friends, post

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.both_databases]

# Bytes count, and not letters.
TEXT, SIZE, COUNT = "\u00e9" * 500, 1_000, 10


@pytest.fixture
def friends(settings):
    made = make_friends()
    for _ in range(COUNT):
        post(made.phone, made.conversation_id, TEXT)
    settings.PAGE_BYTES = settings.COMPAT_LIST_BYTES = 3 * SIZE
    return made


def seqs(client, address):
    answer = client.get(address)
    assert answer.status_code == 200
    return [message["seq"] for message in answer.json()["results"]]


def test_a_page_holds_what_is_nearest_to_its_beginning(friends):
    page = friends.messages
    assert seqs(friends.phone, page) == [8, 9, 10]
    assert seqs(friends.phone, f"{page}?before=8") == [5, 6, 7]
    assert seqs(friends.phone, f"{page}?after=0") == [1, 2, 3]
    assert seqs(friends.phone, f"{page}?around=5") == [4, 5, 6]
    assert seqs(friends.phone, f"{page}?limit=2") == [9, 10]


def test_a_text_that_is_too_large_for_a_page_is_a_page_of_its_own(friends, settings):
    settings.PAGE_BYTES = 1
    assert seqs(friends.phone, friends.messages) == [10]
    assert seqs(friends.phone, f"{friends.messages}?after=3") == [4]


def test_a_range_ends_earlier_and_says_where(friends):
    edited = friends.phone.patch(f"{friends.messages}/2", {"text": TEXT + "!"})
    assert edited.status_code == 200
    after, found = 0, []
    while True:
        range_ = access_changes(
            user_id=friends.bob.id, conversation_id=friends.conversation_id, after=after, limit=500
        )
        assert range_.after == after
        assert len(range_.messages) <= 4
        found += [message.changed_seq for message in range_.messages]
        after = range_.to
        if after == range_.head:
            break
    # Position 2 is superseded by the edit at the end.
    assert found == [1, *range(3, COUNT + 2)]


def test_changes_over_rest_are_cut_as_well(friends):
    answer = friends.phone.get(f"{CONVERSATIONS}/{friends.conversation_id}/changes?after=0").json()
    assert len(answer["changes"]) == 3
    assert answer["to"] == 3


def test_a_list_of_conversations_goes_on_where_it_ended(settings):
    made = make_friends()
    others = [made.conversation_id]
    for _ in range(3):
        more = make_friends()
        others.append(more.conversation_id)
    from accounts.tests.rest import make_user
    from contacts.services import add_contact
    from conversations.services.direct import open_direct

    ids = []
    for _ in range(4):
        friend = make_user()
        add_contact(user=made.alice, username=friend.username)
        conversation_id, _ = open_direct(user_id=made.alice.id, other_id=friend.id)
        post(made.phone, conversation_id, TEXT)
        ids.append(str(conversation_id))
    settings.PAGE_BYTES = SIZE + 1
    found, address = [], CONVERSATIONS
    while address:
        page = made.phone.get(address).json()
        assert len(page["results"]) <= 3
        found += [one["id"] for one in page["results"]]
        address = page["next"] and f"{CONVERSATIONS}?after={page['next']}"
    assert found == [*reversed(ids), str(made.conversation_id)]


def test_lists_by_friend_hold_the_newest(friends):
    [friend] = friends.tablet.get("/api/v1/private-messages").json()["results"]
    assert [message["seq"] for message in friend["messages"]] == [8, 9, 10]
    assert len(newest_private_messages(friends.alice.id)) == 3
    assert len(newest_messages_of(friends.alice.id, friends.conversation_id)) == 3
