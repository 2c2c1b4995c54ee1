"""Every page of the admin, taken from its registry: who sees it, what it costs, what it withstands."""

import re
from datetime import timedelta
from itertools import product

import pytest
from django.contrib import admin
from django.contrib.auth.models import Group, Permission
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts.admin import PermissionGroupAdmin
from accounts.models import Session, User
from accounts.tests.rest import device_of, make_user
from chatbot.models import Answer, Bot, Reminder
from common.ids import first_id_at, new_id
from contacts.models import Block, Contact
from contacts.services import block_user
from conversations.models import Conversation, Membership, Message
from conversations.tests.people import make_friends
from groups.models import JoinRequest
from groups.services.groups import create_group
from groups.services.invitations import create_invitation
from moderation.models import AuditEntry, Report
from moderation.services.reports import report_message
from moderation.services.users import end_session
from presence.models import LastSeen

SECRET = "we meet at the old mill"
LOOKED_AT = [m for m, a in admin.site._registry.items() if not isinstance(a, PermissionGroupAdmin)]
MODELS = list(admin.site._registry)
ODD = [
    *("'", '"', "%", "\\", "%00", "%F0%9F%92%A9", "0", "-1", "1.5", "1" * 30, "1" * 5000, "NaN"),
    *("9223372036854775807", "9223372036854775808", "a" * 5000, "a@", "@", "\u0661", "( OR 1=1"),
]


def page(model, name="changelist", *arguments):
    meta = model._meta
    return reverse(f"admin:{meta.app_label}_{meta.model_name}_{name}", args=arguments)


def client_of(user):
    client = Client()
    client.force_login(user)
    return client


def staff_with(*permissions):
    user = make_user(is_staff=True)
    for permission in permissions:
        label, codename = permission.split(".")
        user.user_permissions.add(
            Permission.objects.get(content_type__app_label=label, codename=codename)
        )
    return user


def view_of(model):
    return f"{model._meta.app_label}.view_{model._meta.model_name}"


def message_of(sender, conversation_id):
    """The first message of a conversation, not stored yet."""
    place = dict(seq=1, changed_seq=1, number=1, client_id="c", digest=b"d", text=SECRET)  # noqa: C408
    now = timezone.now()
    return Message(
        **place, id=conversation_id, conversation_id=conversation_id, sender=sender, created_at=now
    )


def make_groups(owners):
    """A group of each of these, with an invitation and a request to join."""
    for owner in owners:
        access, _ = create_group(user_id=owner.id, name="Mill")
        id = access.conversation.id
        invitation, _ = create_invitation(user_id=owner.id, conversation_id=id)
        JoinRequest.objects.create(
            group_id=id, user=owner, invitation=invitation, created_at=timezone.now()
        )


def remind(asker, conversation_id):
    """A question to the default bot, and the reminder it was about."""
    place = {"conversation_id": conversation_id, "question_seq": new_id(), "asker": asker}
    answer = Answer.objects.create(bot=Bot.objects.earliest("id"), text=SECRET, **place)
    Reminder.objects.create(answer=answer, due_at=timezone.now(), text=SECRET)


@pytest.fixture
def _rows(db):
    """One row of everything the admin shows."""
    friends = make_friends()
    message_of(friends.alice, friends.conversation_id).save(force_insert=True)
    Conversation.objects.filter(id=friends.conversation_id).update(last_seq=1, message_count=1)
    block_user(user=friends.bob, other_id=make_user().id)
    make_groups([friends.alice])
    remind(friends.alice, friends.conversation_id)
    Group.objects.create(name="helpers")
    report_message(
        reporter=friends.bob, conversation_id=friends.conversation_id, seq=1, reason="spam"
    )
    end_session(
        actor=make_user(is_superuser=True),
        session_id=friends.tablet.tokens.session.id,
        reason="lost",
    )
    LastSeen.objects.create(user_id=friends.bob.id, at=timezone.now())


@pytest.fixture
def superuser(_rows):
    return client_of(make_user(is_staff=True, is_superuser=True))


PAGES = ("changelist", "add", "change", "history", "delete")


def statuses(client, model):
    """What each page about a model answers; `change` is the page of one row."""
    row = model.objects.order_by("pk").first()
    return {
        name: client.get(
            page(model, name, *([] if name in {"changelist", "add"} else [row.pk]))
        ).status_code
        for name in PAGES
    }


SEEN = {"changelist": 200, "add": 403, "change": 200, "history": 200, "delete": 403}


@pytest.mark.parametrize("model", LOOKED_AT, ids=lambda model: model.__name__)
def test_superusers_see_every_row_and_make_or_delete_none(superuser, model):
    assert statuses(superuser, model) == SEEN


def test_groups_are_made_by_superusers(superuser):
    assert statuses(superuser, Group) == dict.fromkeys(PAGES, 200)


@pytest.mark.embedded_only
@pytest.mark.usefixtures("_rows")
@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.__name__)
def test_staff_see_what_their_permissions_name_and_nothing_else(model):
    helper = client_of(staff_with(view_of(model)))
    for other in MODELS:
        # Whoever may change groups may do everything.
        told = SEEN if other is model and model is not Group else dict.fromkeys(PAGES, 403)
        assert statuses(helper, other) == told, other


@pytest.mark.usefixtures("_rows")
@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.__name__)
def test_others_are_sent_to_the_login_whatever_they_ask_for(model):
    for outsider in (Client(), client_of(make_user())):
        assert set(statuses(outsider, model).values()) == {302}
        assert outsider.post(page(model), {"action": "ban"}).status_code == 302
    missing = Client().get(page(model, "change", 1))
    assert missing.status_code == 302
    assert missing["Location"].startswith(reverse("admin:login"))


def test_pages_about_no_row_answer_for_everybody_as_they_should(superuser):
    names = {"index": (200, 200, 302), "password_change": (200, 200, 302)}
    names |= {"jsi18n": (200, 200, 302), "search": (200, 200, 302), "login": (302, 302, 200)}
    people = (superuser, client_of(staff_with()), client_of(make_user()))
    for name, told in names.items():
        url = reverse(f"admin:{name}")
        assert tuple(client.get(url).status_code for client in people) == told, name
        assert Client().get(url).status_code == told[2], name
    labels = {model._meta.app_label for model in MODELS}
    for label in labels:
        url = reverse("admin:app_list", args=[label])
        assert [client.get(url).status_code for client in people] == [200, 404, 302], label
    assert superuser.get(reverse("admin:index") + "no/such/page/").status_code == 404
    # Nothing here is chosen from a list of suggestions.
    assert superuser.get(reverse("admin:autocomplete") + "?term=a").status_code == 403


@pytest.mark.usefixtures("_rows")
def test_staff_without_permissions_find_an_empty_index():
    text = client_of(staff_with()).get(reverse("admin:index")).content.decode()
    assert not any(page(model) in text for model in MODELS)


# --- filters and searches


def offered(client, model):
    """The addresses of all filters on the page of a model."""
    answer = client.get(page(model))
    return [
        page(model) + choice["query_string"]
        for kind in answer.context["cl"].filter_specs
        for choice in kind.choices(answer.context["cl"])
    ]


@pytest.mark.embedded_only
def test_every_filter_and_every_search_answers(superuser):
    for model in MODELS:
        row = model.objects.order_by("pk").first()
        asked = [*offered(superuser, model), page(model) + f"?q={row.pk}"]
        asked += [f"{url}&q={row.pk}" for url in offered(superuser, model)]
        for url in asked:
            assert superuser.get(url).status_code == 200, url


def test_the_time_filter_goes_by_the_time_in_the_ids(superuser):
    fresh = Block.objects.get()
    then = timezone.now() - timedelta(days=2)
    old = Block.objects.create(
        id=first_id_at(then), blocker=fresh.blocked, blocked=fresh.blocker, created_at=then
    )
    for days, told in (("1", {fresh}), ("7", {fresh, old}), ("x", {fresh, old})):
        answer = superuser.get(page(Block), {"made": days})
        assert set(answer.context["cl"].result_list) == told


def found(client, model, term):
    answer = client.get(page(model), {"q": term})
    assert answer.status_code == 200, (model, term)
    return {row.pk for row in answer.context["cl"].result_list}


def test_rows_are_found_by_their_ids_and_those_of_their_people(superuser):
    contact, block = Contact.objects.order_by("id").first(), Block.objects.get()
    message, session = Message.objects.get(kind="text"), Session.objects.order_by("id").first()
    own = {model: {model.objects.order_by("pk").first().pk} for model in LOOKED_AT}
    for model, ids in own.items():
        assert ids <= found(superuser, model, str(*ids)), model
        assert found(superuser, model, "nobody-like-this") == set(), model
    assert contact.id in found(superuser, Contact, str(contact.owner_id))
    assert contact.id in found(superuser, Contact, str(contact.user_id))
    assert found(superuser, Block, str(block.blocked_id)) == {block.id}
    assert found(superuser, Session, str(session.user_id)) == {session.id}
    assert found(superuser, Message, str(message.conversation_id)) == {message.id}
    assert len(found(superuser, Membership, str(message.conversation_id))) == 2


def test_users_are_found_by_a_name_or_its_beginning_and_by_their_whole_address(superuser):
    ann = make_user("ann")
    assert found(superuser, User, "An") == {ann.id}
    anna, anne = make_user("Anna.one"), make_user("anne.two", email="Anne@Example.org")
    assert found(superuser, User, "an") == {ann.id, anna.id, anne.id}
    assert found(superuser, User, "ANN") == {ann.id}
    assert found(superuser, User, "ANNA.O") == {anna.id}
    assert found(superuser, User, "anne@example.org") == {anne.id}
    assert found(superuser, User, "anne@") == set()


# PostgreSQL takes less than SQLite does.
@pytest.mark.postgres
@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.__name__)
def test_odd_searches_find_nothing_and_break_nothing(superuser, model):
    for odd in ODD:
        assert superuser.get(f"{page(model)}?q={odd}").status_code == 200, odd


# PostgreSQL takes less than SQLite does.
@pytest.mark.postgres
@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.__name__)
def test_addresses_typed_by_hand_are_refused_or_passed_over(superuser, model):
    fields = [field.name for field in model._meta.fields]
    for odd in ("%00", "x", "9" * 30):
        for name in fields:
            url = f"{page(model)}?{name}__startswith={odd}"
            assert superuser.get(url).status_code == 400, url
        for name in ("o", "p", "all", "_facets", "e", "_popup"):
            answer = superuser.get(f"{page(model)}?{name}={odd}")
            assert answer.status_code in {200, 302}, (name, odd)
        for url in {re.sub(r"=[^&]*", f"={odd}", url) for url in offered(superuser, model)}:
            assert superuser.get(url).status_code in {200, 302, 400}, url
        for name in ("change", "history"):
            answer = superuser.get(page(model, name, odd))
            assert (answer.status_code, answer["Location"]) == (302, reverse("admin:index")), odd
        chosen = {"action": "end", "_selected_action": odd}
        assert superuser.post(page(model), chosen).status_code in {200, 302, 400}
    assert superuser.get(f"{page(model)}?p=1000000").status_code == 200
    assert superuser.get(f"{page(model)}?_to_field=password").status_code == 400


# --- what people wrote


def test_no_page_of_any_model_shows_a_text(superuser):
    """Who breaks the glass sees it: moderation/tests/test_texts.py."""
    for model in MODELS:
        row = model.objects.order_by("pk").first()
        for url in (page(model), page(model, "change", row.pk), page(model, "history", row.pk)):
            assert SECRET not in superuser.get(url).content.decode(), url
    shown = superuser.get(page(Message)).content.decode()
    assert f">{len(SECRET)}<" in re.sub(r"\s", "", shown)


@pytest.mark.usefixtures("_rows")
def test_nobody_learns_a_text_or_a_secret_column_by_filtering_for_it():
    helper = client_of(staff_with(*(view_of(model) for model in (User, Session, Message, Report))))
    hidden = {
        Message: ("text__startswith=we", "text__contains=mill", "text=" + SECRET, "digest__gt=a"),
        User: ("password__startswith=argon2", "username_key__startswith=a", "sessions__device="),
        Session: ("refresh_hash__startswith=a", "user__password__startswith=argon2"),
        Report: ("evidence__messages__0__text__startswith=we", "user__password__startswith=a"),
    }
    for model, lookups in hidden.items():
        for lookup in lookups:
            assert helper.get(f"{page(model)}?{lookup}").status_code == 400, lookup
    assert found(helper, Message, "mill") == set()


def test_no_page_shows_a_password_or_a_token(superuser):
    user = make_user("keeper", password="correct horse")
    tokens = device_of(user).tokens
    session = tokens.session
    secrets = [user.password, session.refresh_hash, tokens.refresh_token, tokens.access_token]
    for model, row in ((User, user), (Session, session)):
        for url in (page(model), page(model, "change", row.pk)):
            text = superuser.get(url).content.decode()
            assert not any(secret in text for secret in secrets), url


# --- what it costs


def many_of_everything(count):
    """At least so many rows in every table the admin shows."""
    now = timezone.now()
    users = [make_user() for _ in range(count)]
    for user in users:
        device_of(user)
    LastSeen.objects.bulk_create(LastSeen(user_id=user.id, at=now) for user in users)
    pairs = list(zip(users, users[1:] + users[:1], strict=True))
    Contact.objects.bulk_create(Contact(owner=a, user=b, created_at=now) for a, b in pairs)
    Block.objects.bulk_create(Block(blocker=a, blocked=b, created_at=now) for a, b in pairs)
    talks = [Conversation(kind="direct", low_user_id=a.id, high_user_id=b.id) for a, b in pairs]
    Conversation.objects.bulk_create(talks)
    Membership.objects.bulk_create(
        Membership(conversation=talk, user=a) for talk, (a, _) in zip(talks, pairs, strict=True)
    )
    Bot.objects.bulk_create(Bot(user=user) for user in users)
    for talk, (a, _) in zip(talks, pairs, strict=True):
        remind(a, talk.id)
    Message.objects.bulk_create(
        message_of(a, talk.id) for talk, (a, _) in zip(talks, pairs, strict=True)
    )
    make_groups(users)
    Report.objects.bulk_create(Report(reporter=a, user=b, kind="user") for a, b in pairs)
    AuditEntry.objects.bulk_create(
        AuditEntry(actor_id=a.id, target_kind="user", target_id=b.id) for a, b in pairs
    )


@pytest.mark.django_db
def test_a_page_of_fifty_rows_costs_as_many_queries_as_one_of_few(django_assert_max_num_queries):
    many_of_everything(51)
    visitor = client_of(make_user(is_staff=True, is_superuser=True))
    for model in LOOKED_AT:
        assert visitor.get(f"{page(model)}?p=4").status_code == 302
        # The visitor's session, the visitor, their second factor, how many rows there are, the rows.
        with django_assert_max_num_queries(5) as asked:
            answer = visitor.get(page(model))
        assert len(answer.context["cl"].result_list) == 50, model
        assert len(asked) == 5, model


@pytest.mark.django_db
def test_nothing_is_counted_to_its_end_and_nothing_is_sorted_but_by_id(django_assert_num_queries):
    visitor = client_of(make_user(is_staff=True, is_superuser=True))
    for model, more in product(LOOKED_AT, ("", "?o=2.-3", "?all=", "?_facets=True")):
        with django_assert_num_queries(5) as asked:
            assert visitor.get(page(model) + more).status_code == 200
        count, rows = (query["sql"] for query in asked.captured_queries[3:])
        assert "LIMIT 1000" in count
        key = model._meta.pk.column
        assert re.search(rf'ORDER BY "\w+"\."{key}" DESC', rows), rows
