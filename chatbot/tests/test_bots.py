"""Bots as users: who may write to them, what they are shown as, what they cannot do."""

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from accounts.models import User
from accounts.tests.rest import device_of, make_user
from chatbot.models import Bot, Reminder
from conversations.tests.people import CONVERSATIONS, post
from tests.kit.secret_scan import PASSWORD

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def assistant():
    return User.objects.get(username="assistant")


def direct(device, user):
    return device.post(f"{CONVERSATIONS}/direct", {"user_id": str(user.id)})


def test_migrating_makes_the_default_bot_once(assistant, settings):
    call_command("migrate", verbosity=0)
    assert Bot.objects.get().user == assistant
    # Another name is another bot; a name that somebody has stays theirs.
    settings.CHATBOT_USERNAME = "helper"
    call_command("migrate", verbosity=0)
    make_user("robert")
    settings.CHATBOT_USERNAME = "robert"
    call_command("migrate", verbosity=0)
    assert set(Bot.objects.values_list("user__username", flat=True)) == {"assistant", "helper"}


def test_more_bots_are_made_by_a_command(capsys):
    call_command("make_bot", "poet", display_name="The poet")
    assert "Made bot poet" in capsys.readouterr().out
    assert User.objects.get(username="poet").is_bot
    with pytest.raises(CommandError, match="is taken"):
        call_command("make_bot", "Poet")


def test_a_bot_is_written_to_without_a_contact_until_it_is_blocked(assistant):
    alice = device_of(make_user())
    found = direct(alice, assistant)
    assert found.status_code == 201
    assert found.json()["peer"]["bot"] is True
    conversation = found.json()["id"]
    assert post(alice, conversation).status_code == 201
    alice.put(f"/api/v1/blocks/{assistant.id}")
    assert post(alice, conversation).status_code == 403
    other = device_of(make_user())
    assert direct(other, assistant).status_code == 201
    # There was no contact that could stay ended.
    alice.delete(f"/api/v1/blocks/{assistant.id}")
    assert post(alice, conversation).status_code == 201


def test_a_bot_that_was_blocked_before_is_not_written_to(assistant):
    alice = device_of(make_user())
    alice.put(f"/api/v1/blocks/{assistant.id}")
    assert direct(alice, assistant).status_code == 404


def test_a_bot_is_a_contact_at_once_and_stays_open_when_it_is_none_any_more(assistant, settings):
    settings.CONTACT_POLICY = "request"
    alice = device_of(make_user())
    assert alice.post("/api/v1/contacts", {"username": "assistant"}).status_code == 201
    conversation = direct(alice, assistant).json()["id"]
    assert alice.delete(f"/api/v1/contacts/{assistant.id}").status_code == 204
    assert post(alice, conversation).status_code == 201


def test_whoever_was_shut_out_writes_to_bots_again_once_let_in(assistant):
    from accounts.services import set_user_active

    user = make_user()
    conversation = direct(device_of(user), assistant).json()["id"]
    set_user_active(user_id=user.id, is_active=False)
    set_user_active(user_id=user.id, is_active=True)
    assert post(device_of(user), conversation).status_code == 201


def test_people_still_need_a_contact():
    stranger = make_user()
    assert direct(device_of(make_user()), stranger).status_code == 404


def test_nobody_logs_in_as_a_bot(assistant, client):
    for login in ("assistant", assistant.email):
        for password in ("", "!", assistant.password, "assistant"):
            body = {"login": login, "password": password}
            answer = client.post("/api/v1/auth/login", body, content_type="application/json")
            assert answer.status_code in {400, 401}
    mailed = client.post(
        "/api/v1/auth/password/reset", {"email": assistant.email}, content_type="application/json"
    )
    assert mailed.status_code in {202, 204}
    assert not assistant.has_usable_password()


def test_the_list_of_bots_leaves_out_those_that_do_not_answer(assistant, django_assert_num_queries):
    alice = device_of(make_user())
    call_command("make_bot", "poet")
    # Session and user, the bots.
    with django_assert_num_queries(2):
        listed = alice.get("/api/v1/bots").json()["results"]
    assert [bot["username"] for bot in listed] == ["assistant", "poet"]
    Bot.objects.filter(user__username="poet").update(enabled=False)
    assert [bot["username"] for bot in alice.get("/api/v1/bots").json()["results"]] == ["assistant"]


def test_an_answer_is_read_with_two_queries_and_only_by_members(
    assistant, django_assert_num_queries
):
    user = make_user()
    alice, stranger = device_of(user), device_of(make_user())
    conversation = direct(alice, assistant).json()["id"]
    post(alice, conversation, "hello")
    Bot.objects.get().answers.create(conversation_id=conversation, question_seq=1, asker=user)
    path = f"{CONVERSATIONS}/{conversation}/answers/1"
    with django_assert_num_queries(2):
        [answer] = alice.get(path).json()["results"]
    assert answer == {
        "conversation_id": conversation,
        "question_seq": 1,
        "bot_id": str(assistant.id),
        "status": "waiting",
        "text": "",
        "seq": None,
    }
    for other in (path.replace("answers/1", "answers/2"), path.replace("answers/1", "answers/x")):
        assert alice.get(other).status_code == 404
    assert stranger.get(path).status_code == 404
    assert stranger.post(f"{path}/cancel").status_code == 404
    assert alice.post(f"{path}/cancel").status_code == 200


def test_whoever_is_deleted_is_reminded_of_nothing(assistant):
    user = make_user(password=PASSWORD)
    alice = device_of(user)
    conversation = direct(alice, assistant).json()["id"]
    answer = Bot.objects.get().answers.create(
        conversation_id=conversation, question_seq=1, asker=user
    )
    Reminder.objects.create(answer=answer, due_at=timezone.now(), text="water the plants")
    assert alice.delete("/api/v1/me", {"password": PASSWORD}).status_code == 204
    assert not Reminder.objects.exists()
