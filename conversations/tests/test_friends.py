"""The newest private messages with each friend."""

import pytest

from conversations.selectors.friends import NEWEST
from conversations.tests.people import make_friends, post

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.both_databases]


def test_what_is_edited_again_and_again_pushes_nothing_out_of_the_list():
    friends = make_friends()
    for number in range(NEWEST + 2):
        post(friends.phone, friends.conversation_id, str(number))
    for number in range(NEWEST):
        body = {"text": f"edit {number}"}
        assert friends.phone.patch(f"{friends.messages}/{NEWEST + 2}", body).status_code == 200
    [friend] = friends.tablet.get("/api/v1/private-messages").json()["results"]
    texts = [message["text"] for message in friend["messages"]]
    assert texts == [*map(str, range(2, NEWEST + 1)), f"edit {NEWEST - 1}"]
