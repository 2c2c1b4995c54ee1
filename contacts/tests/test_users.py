"""Looking people up by name, and their cards: who is found, and what is seen of them."""

import json

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.models import User
from accounts.tests.rest import device_of, make_user, same_answer
from common.ids import new_id
from contacts import selectors
from contacts.tests.people import BLOCKS, CONTACTS, USERS, add, empty

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]


def search(client, **query):
    return client.get(USERS, query)


def found(client, **query):
    answer = search(client, **query)
    assert answer.status_code == 200, answer.content
    return [row["username"] for row in answer.json()["results"]]


def card(client, user):
    return client.get(f"{USERS}/{user.id}")


def test_a_card_shows_who_somebody_is(alice, phone, bob, django_assert_num_queries):
    User.objects.filter(id=bob.id).update(display_name="Bob B.", about="builds things")
    shown = {
        "id": str(bob.id),
        "username": "bob",
        "display_name": "Bob B.",
        "deleted": False,
        "bot": False,
        "about": "builds things",
        "is_contact": False,
        "alias": "",
    }
    with django_assert_num_queries(2):
        assert card(phone, bob).json() == shown
    add(phone, "bob")
    phone.patch(f"{CONTACTS}/{bob.id}", {"alias": "builder"})
    shown |= {"is_contact": True, "alias": "builder"}
    assert card(phone, bob).json() == shown
    assert search(phone, username="bob").json() == {"results": [shown], "next": None}
    assert search(phone, prefix="bob").json() == {"results": [shown], "next": None}


@pytest.mark.parametrize(
    ("audience", "contact", "stranger"),
    [("everyone", "hello", "hello"), ("contacts", "hello", ""), ("nobody", "", "")],
)
def test_about_is_shown_to_whom_it_is_for(audience, contact, stranger, phone, bob):
    User.objects.filter(id=bob.id).update(about="hello", about_for=audience)
    carol = device_of(make_user("carol"))
    add(phone, "bob")
    for client, expected in ((phone, contact), (carol, stranger), (device_of(bob), "hello")):
        for answer in (
            card(client, bob).json(),
            search(client, username="bob").json()["results"][0],
            search(client, prefix="bob").json()["results"][0],
        ):
            assert answer["about"] == expected


def test_a_name_is_found_however_it_is_written(phone):
    make_user("PayPal")
    for name in ("paypal", "PAYPAL", "paypa1", "paypaI", "раураӏ", " paypal ", "\u202epaypal"):
        assert found(phone, username=name) == ["PayPal"], name
    for prefix in ("PAY", "раур", "paypa1", "Paypal"):
        assert found(phone, prefix=prefix) == ["PayPal"], prefix
    for name in ("paypa", "paypall"):
        assert found(phone, username=name) == [], name
    assert found(phone, prefix="paypall") == []


def test_names_of_other_scripts_are_found_by_their_beginning(phone):
    for name in ("José.m", "иванов", "김철수빈", "modern"):
        make_user(name, email=f"{new_id()}@example.org")
    for prefix, name in (
        ("jose\u0301", "José.m"),
        ("ИВА", "иванов"),
        ("김철수", "김철수빈"),
        ("rno", "modern"),
    ):
        assert found(phone, prefix=prefix) == [name]


def test_a_prefix_is_as_short_as_names_of_its_script_may_be(phone):
    for name in ("수지", "수지연"):
        make_user(name, email=f"{len(name)}@example.org")
    assert found(phone, prefix="수지") == ["수지", "수지연"]
    assert search(phone, prefix="수").status_code == 400


def test_a_prefix_is_no_pattern(phone):
    for name in ("a_bcd", "axbcd", "a-bcd"):
        make_user(name)
    assert found(phone, prefix="a_b") == ["a_bcd"]
    for prefix in ("a%b", "%bcd", "a\\_b", "a.*", "a'b"):
        assert found(phone, prefix=prefix) == [], prefix


def test_who_is_not_to_be_searched_for_is_found_by_the_whole_name_only(phone, bob):
    User.objects.filter(id=bob.id).update(searchable=False)
    assert found(phone, prefix="bob") == []
    assert found(phone, username="Bob") == ["bob"]
    assert card(phone, bob).status_code == 200


def test_whom_one_has_blocked_is_not_offered_but_can_be_looked_at(phone, bob):
    phone.put(f"{BLOCKS}/{bob.id}")
    assert found(phone, prefix="bob") == []
    assert found(phone, username="bob") == ["bob"]
    assert card(phone, bob).json()["username"] == "bob"


def test_whoever_is_gone_for_the_viewer_was_never_there(alice, phone, bob, tablet):
    """S6: blocking, deactivated, deleted and absent users are answered for alike."""
    carol, dave = make_user("carol"), make_user("dave", is_active=False)
    tablet.put(f"{BLOCKS}/{alice.id}")
    empty(carol)
    nobody = phone.get(f"{USERS}/{new_id()}")
    assert nobody.status_code == 404
    assert nobody.json()["code"] == "not_found"
    for gone in (bob.id, carol.id, dave.id, "x", "0", "9" * 25):
        assert same_answer(phone.get(f"{USERS}/{gone}"), nobody), gone
    for way in ("username", "prefix"):
        nothing = search(phone, **{way: "nobody"})
        assert nothing.json() == {"results": [], "next": None}
        for gone in ("bob", "carol", "dave", f"deleted-{carol.id}", "x" * 254):
            assert same_answer(search(phone, **{way: gone}), nothing), gone


def test_looking_up_takes_one_statement_whoever_is_or_is_not_there(alice, phone, tablet):
    """S10: time does not tell why nobody is found. The first look at the session is the other."""
    make_user("carol", is_active=False)
    tablet.put(f"{BLOCKS}/{alice.id}")
    for query in ({"username": "bob"}, {"username": "carol"}, {"username": "nobody"}):
        with CaptureQueriesContext(connection) as queries:
            search(phone, **query)
        assert len(queries) == 2
    for name in ("bob", "carol", "nobody"):
        with CaptureQueriesContext(connection) as queries:
            assert add(phone, name).status_code == 404
        assert len(queries) == 2


def test_a_search_comes_in_pages_in_the_order_of_names(phone, django_assert_num_queries):
    names = ["anna", "anna.b", "Anna-c", "anna_d", "annabel", "ANNE", "annz", "аннушка"]
    for name in reversed(names):
        make_user(name, email=f"{new_id()}@example.org")
    seen: list[str] = []
    after: dict[str, str] = {}
    while True:
        with django_assert_num_queries(2):
            page = search(phone, prefix="ann", limit="3", **after).json()
        seen += [row["username"] for row in page["results"]]
        if page["next"] is None:
            break
        after = {"after": page["next"]}
    # By the bytes of their keys: '-' and '.' come before letters, '_' between capitals and small.
    assert seen == ["anna", "Anna-c", "anna.b", "anna_d", "annabel", "ANNE", "annz"]


def test_a_page_does_not_depend_on_the_user_it_begins_after(phone):
    for name in ("anna", "annb", "annc"):
        make_user(name)
    page = search(phone, prefix="ann", limit="1").json()
    assert page["next"] == "anna"
    User.objects.filter(username="anna").update(is_active=False)
    assert found(phone, prefix="ann", after="anna") == ["annb", "annc"]
    assert found(phone, prefix="ann", after="zzz") == []


@pytest.mark.parametrize(
    ("query", "wrong"),
    [
        ({}, "prefix"),
        ({"prefix": "ab"}, "prefix"),
        ({"prefix": " ab "}, "prefix"),
        ({"prefix": "e\u0301e\u0301"}, "prefix"),
        ({"prefix": ""}, "prefix"),
        ({"prefix": "x" * 255}, "prefix"),
        ({"prefix": "abc\x00"}, "prefix"),
        ({"username": ""}, "username"),
        ({"username": "a\x00b"}, "username"),
        ({"username": "x" * 255}, "username"),
        ({"username": "bob", "prefix": "bob"}, "prefix"),
        ({"username": "bob", "limit": "1"}, "limit"),
        ({"username": ["bob", "carol"]}, "username"),
        ({"prefix": ["bob", "car"]}, "prefix"),
        ({"prefix": "bob", "limit": "0"}, "limit"),
        ({"prefix": "bob", "limit": "201"}, "limit"),
        ({"prefix": "bob", "after": "a\x00"}, "after"),
        ({"prefix": "bob", "after": ""}, "after"),
        ({"prefix": "bob", "searchable": "false"}, "searchable"),
        ({"prefix[$ne]": "bob"}, "prefix[$ne]"),
    ],
    ids=str,
)
def test_a_query_of_another_form_is_invalid(phone, query, wrong):
    answer = search(phone, **query)
    assert answer.status_code == 400
    assert list(answer.json()["fields"]) == [wrong]


def test_searches_are_counted_per_user_and_both_ways_together(phone, tablet, settings):
    settings.USER_SEARCHES_PER_USER = "3/hour"
    found(phone, username="nobody")
    found(phone, prefix="nobody")
    found(phone, username="bob")
    for query in ({"username": "bob"}, {"prefix": "bob"}):
        answer = search(phone, **query)
        assert (answer.status_code, answer.json()["code"]) == (429, "rate_limited")
        assert int(answer.headers["Retry-After"]) > 0
    assert found(tablet, username="alice") == ["alice"]


def plan_of_a_search(viewer):
    with CaptureQueriesContext(connection) as queries:
        selectors.search_names(viewer_id=viewer.id, prefix="ann", after="anna", limit=51)
    [query] = queries
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            # With hardly any rows reading them all is cheapest.
            cursor.execute("SET LOCAL enable_seqscan = off")
            cursor.execute("EXPLAIN (FORMAT JSON) " + query["sql"].replace("%", "%%"))
            return json.dumps(cursor.fetchone()[0])
        cursor.execute("EXPLAIN QUERY PLAN " + query["sql"].replace("%", "%%"))
        return " | ".join(row[3] for row in cursor.fetchall())


@pytest.mark.postgres
def test_a_search_reads_a_range_of_its_index_in_order(alice):
    plan = plan_of_a_search(alice)
    assert '"Index Name": "contacts_user_search"' in plan
    assert "Sort" not in plan


@pytest.mark.embedded_only
def test_a_search_reads_a_range_of_the_unique_index_in_order(alice):
    plan = plan_of_a_search(alice)
    assert "(username_key>? AND username_key<?)" in plan
    assert "TEMP B-TREE" not in plan
