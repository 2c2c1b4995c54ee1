"""What somebody calls their contacts is theirs alone."""

import pytest

from accounts.tests.rest import device_of, make_user, same_answer
from contacts.models import Contact
from contacts.tests.people import BLOCKS, CONTACTS, USERS, add, feeds

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _contacts(phone, tablet, bob):
    add(phone, "bob")


def call(client, user, alias):
    return client.patch(f"{CONTACTS}/{user.id}", {"alias": alias})


def aliases(client):
    return [row["alias"] for row in client.get(CONTACTS).json()["results"]]


def test_an_alias_is_in_ones_own_list_and_in_nobody_elses(
    alice, bob, phone, tablet, django_assert_max_num_queries
):
    before = feeds(alice, bob)
    with django_assert_max_num_queries(10):
        answer = call(phone, bob, "  The plumber ")
    assert answer.status_code == 200
    assert answer.json()["user"]["username"] == "bob"
    assert answer.json()["alias"] == "The plumber"
    assert (aliases(phone), aliases(tablet)) == (["The plumber"], [""])
    assert feeds(alice, bob) == [before[0] + 1, before[1]]
    for url in (CONTACTS, USERS + f"/{alice.id}", USERS + "?username=alice"):
        assert b"plumber" not in tablet.get(url).content


def test_an_empty_alias_takes_it_back_and_the_same_one_again_is_no_change(alice, bob, phone):
    call(phone, bob, "plumber")
    before = feeds(alice, bob)
    assert call(phone, bob, "plumber").status_code == 200
    assert feeds(alice, bob) == before
    assert call(phone, bob, " ").json()["alias"] == ""
    assert aliases(phone) == [""]
    assert feeds(alice, bob) == [before[0] + 1, before[1]]


@pytest.mark.parametrize(
    "alias",
    ["x" * 65, "x" * 300, "two\nlines", "a\tb", "a\x00b", "a\x85b", "a\u2028b", "\u202e", 1, None,
     ["x"], {"x": "y"}, True],
    ids=ascii,
)  # fmt: skip
def test_an_alias_is_one_clean_line(bob, phone, alias):
    answer = call(phone, bob, alias)
    assert answer.status_code == 400
    assert list(answer.json()["fields"]) == ["alias"]
    assert aliases(phone) == [""]


def test_an_alias_is_stored_in_one_form_without_direction_controls(bob, phone):
    assert call(phone, bob, "Jose\u0301 \u202eevil").json()["alias"] == "José evil"
    assert call(phone, bob, "x" * 64).status_code == 200


@pytest.mark.parametrize("forged", ["owner", "user", "user_id", "id", "created_at"])
def test_nothing_else_of_a_contact_comes_from_the_client(bob, phone, forged):
    """S9."""
    answer = phone.patch(f"{CONTACTS}/{bob.id}", {"alias": "x", forged: "1"})
    assert answer.status_code == 400
    assert list(answer.json()["fields"]) == [forged]
    assert phone.patch(f"{CONTACTS}/{bob.id}", {}).status_code == 400


def test_whoever_is_no_contact_has_no_alias_whatever_the_reason(alice, bob, phone, tablet):
    carol, dave = make_user("carol"), make_user("dave", is_active=False)
    stranger = make_user("erin")
    add(device_of(carol), "alice")
    tablet.put(f"{BLOCKS}/{alice.id}")
    device_of(carol).delete(f"{CONTACTS}/{alice.id}")
    absent = phone.patch(f"{CONTACTS}/1", {"alias": "x"})
    assert absent.status_code == 404
    for other in (alice, bob, carol, dave, stranger):
        assert same_answer(call(phone, other, "x"), absent), other.username
    assert not Contact.objects.exists()


def test_an_alias_ends_with_the_contact(bob, phone):
    call(phone, bob, "plumber")
    phone.delete(f"{CONTACTS}/{bob.id}")
    assert add(phone, "bob").json()["alias"] == ""
