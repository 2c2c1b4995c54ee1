"""What Unicode makes possible in names and texts, and what becomes of it (S20)."""

import json
import unicodedata
from itertools import product

import pytest
from confusable_homoglyphs.confusables import confusables_data
from rest_framework.test import APIClient

from accounts.models import User
from accounts.names import clean_username, username_key
from accounts.tests.rest import device_of, make_user
from chatbe.legacy_v1.groups import access_group_named
from chatbot.services.bots import make_bot
from common.errors import InvalidInput
from common.text import clean_label, clean_line, clean_text
from contacts.models import Contact
from contacts.services import add_contact
from conversations.log.append import append_messages
from conversations.models import Conversation, Message
from conversations.tests.people import draft
from groups.models import Group
from moderation.models import Report

pytestmark = pytest.mark.embedded_only

# Drawn as nothing at all, or as a space.
INVISIBLE = [
    *"\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b\u180c\u180d\u180e\u180f",
    *"\u200b\u200c\u200d\u200e\u200f\u2060\u2061\u2062\u2063\u2064\u2065\u206a\u206b\u206c\u206d",
    *"\u206e\u206f\u2800\u3164\ufe00\ufe01\ufe0e\ufe0f\ufeff\uffa0\ufff9\ufffa\ufffb\ufffc",
    *"\U0001d159\U0001d173\U0001d17a\U0001bca0\U000e0001\U000e0020\U000e0041\U000e007f",
    *"\U000e0100\U000e01ef\U000e0fff",
]
SELECTORS = "\u180b\u180c\u180d\u180f\ufe00\ufe01\ufe0e\ufe0f\U000e0100\U000e01ef"
SPACES = [chr(c) for c in range(0x3001) if unicodedata.category(chr(c)) == "Zs"]
BIDI = [*"\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"]
MARKS = ["\u0301", "\u0300\u0323", "\u20dd", "\u0489", "\u093f", "\u0e34", "\u064b", "\u05b7"]
NOTHING = [
    *(c for c in INVISIBLE + SPACES + BIDI + MARKS),
    *(a + b for a, b in zip(INVISIBLE, reversed(INVISIBLE), strict=True)),
    *(f" {c}\u3000" for c in INVISIBLE),
    *(f"{c}\u0301" for c in ("\u200b", "\u3164", " ", "\u2800")),
    "\u3164" * 64,
    "\u115f\u1160" * 9,
    "\U000e0067\U000e0062\U000e007f",
]
ZALGO = [
    "a" + "\u0300" * 60,
    "Z\u0335\u0321\u0353\u0347\u031a\u0344a\u0337\u0322l\u0338\u0328g\u0335\u0327o",
    *(f"an{''.join(map(chr, range(start, start + 6)))}na" for start in range(0x300, 0x348, 6)),
    *(f"an{mark * 2}na" for mark in "\u0300\u0301\u0308\u030a\u0336\u20d2\u20dd\u0488"),
]
# As they are typed, so they are shown.
REAL = [
    *("José", "O'Brien", "O\u2019Brien", "Gal·la", "Jean-Luc", "Łukasz", "Nguyễn Thị", "Þórunn"),
    *("علی\u200cرضا", "نمی\u200cدانم", "क्\u200dष", "ශ්\u200dරී", "മലയാളം", "தமிழ்", "বাংলা"),
    *("ปิ่นเพชร", "မြွှေး", "ខ្មែរ", "བཀྲ་ཤིས་", "שָׂרָה", "مُحَمَّد", "佐々木", "マリー", "김철수", "李小龍"),
    *("👩\u200d👩\u200d👧", "👍🏽", "❤️", "🏳️\u200d🌈", "👨🏾\u200d🚀", "1️⃣", "🇵🇹", "葛\U000e0100城"),
    "🏴\U000e0067\U000e0062\U000e0073\U000e0063\U000e0074\U000e007f",
    *("Ʌ", "x²", "№ 5", "Ω", "⠃⠕⠃", "𝒜", "·", "-", "(^_^)", "Anna (Berlin)", "¿Qué?"),
]


@pytest.mark.parametrize("value", NOTHING, ids=ascii)
def test_what_draws_nothing_is_no_name_and_no_text(value):
    for clean in (
        lambda: clean_line(value, "name", max_length=100),
        lambda: clean_text(value),
        lambda: clean_username(value),
    ):
        with pytest.raises(InvalidInput):
            clean()


@pytest.mark.parametrize("character", INVISIBLE + BIDI, ids=ascii)
def test_what_draws_nothing_is_left_out_of_a_name_and_refused_in_a_username(character):
    name = f"An{character}na"
    # A selector chooses how the letter before it is drawn; some stand for a letter.
    stays = character in SELECTORS or character in "\u115f\u1160\u2800\ufffc\U0001d159"
    assert clean_line(name, "name", max_length=20) == (name if stays else "Anna")
    assert clean_line(f"{character}Anna", "name", max_length=20) == "Anna"
    if character in BIDI:
        assert clean_username(name) == "Anna"
    else:
        with pytest.raises(InvalidInput):
            clean_username(name)


@pytest.mark.parametrize("name", ZALGO, ids=ascii)
def test_nobody_is_called_by_piles_of_marks(name):
    with pytest.raises(InvalidInput):
        clean_line(name, "name", max_length=100)
    with pytest.raises(InvalidInput):
        clean_username(name)


# Whatever a font draws there, or nobody ever will.
PRIVATE = ["\ue000", "\uf8ff\uf8ff", "\U000f0001", "\U0010fffd", "\ufdd0", "\uffff", "\U0001fffe"]


@pytest.mark.parametrize("value", [*PRIVATE, " \u200b\ue000\u3164"], ids=ascii)
def test_nobody_is_called_by_characters_that_every_font_draws_otherwise(value):
    with pytest.raises(InvalidInput):
        clean_line(value, "name", max_length=20)
    with pytest.raises(InvalidInput):
        clean_username(value * 4)
    assert clean_label(value, max_length=20) == ""
    assert clean_line(f"Anna {value}", "name", max_length=20).startswith("Anna")


@pytest.mark.parametrize("value", ["\U0001fae9", "\U00011f04", "\uf8ff"], ids=ascii)
def test_what_may_be_newer_than_this_python_is_a_text(value):
    assert clean_text(value) == value


@pytest.mark.parametrize("name", REAL)
def test_a_name_of_any_script_is_shown_as_it_was_typed(name):
    name = unicodedata.normalize("NFC", name)
    assert clean_line(unicodedata.normalize("NFD", f"  {name} "), "name", max_length=64) == name
    assert clean_text(name) == name


def look_alikes(letter):
    """All single letters that are drawn like this one."""
    return sorted(
        {
            entry["c"]
            for entry in confusables_data.get(letter, ())
            if len(entry["c"]) == 1 and unicodedata.category(entry["c"])[0] == "L"
        }
    )


DISGUISES = [
    "paypal".replace(letter, other, count)
    for letter in "payl"
    for other, count in product(look_alikes(letter), (1, -1))
]


@pytest.mark.parametrize("name", DISGUISES, ids=ascii)
def test_a_look_alike_is_refused_or_counts_as_the_name_it_looks_like(name):
    try:
        taken = clean_username(name)
    except InvalidInput:
        return
    assert username_key(taken) == username_key("paypal")


def test_the_corpus_is_large():
    assert len(DISGUISES) > 100
    assert len(NOTHING) + len(ZALGO) + len(INVISIBLE) + len(BIDI) > 200


# --- through every door ---------------------------------------------------------------------


@pytest.fixture
def people():
    alice, bob = make_user(), make_user()
    add_contact(user=alice, username=bob.username)
    return alice, bob


@pytest.mark.django_db
@pytest.mark.parametrize(
    "nothing", ["\u3164", "\u200b\u2060", "\u2800", "\u0301", "\U000e0041", "\u00ad "]
)
def test_no_door_takes_a_name_or_text_that_draws_nothing(people, nothing):
    alice, bob = people
    phone = device_of(alice)
    place = phone.post("/api/v1/conversations/direct", {"user_id": str(bob.id)}).json()["id"]
    group = phone.post("/api/v1/groups", {"name": "Mill"}).json()["conversation_id"]
    [sent] = append_messages([draft(alice, int(place), "x")])
    message = f"/api/v1/conversations/{place}/messages"
    tries = [
        ("PATCH", "/api/v1/me", {"display_name": nothing}),
        ("PATCH", "/api/v1/me", {"about": nothing}),
        ("PATCH", f"/api/v1/contacts/{bob.id}", {"alias": nothing}),
        ("POST", "/api/v1/groups", {"name": nothing}),
        ("POST", "/api/v1/groups", {"name": "x", "description": nothing}),
        ("PATCH", f"/api/v1/groups/{group}", {"name": nothing}),
        ("PATCH", f"/api/v1/groups/{group}", {"description": nothing}),
        ("POST", message, {"client_id": "d", "text": nothing}),
        ("PATCH", f"{message}/{sent.message.seq}", {"text": nothing}),
        ("POST", "/api/v1/reports", {"user_id": str(bob.id), "reason": "spam", "comment": nothing}),
        ("POST", "/v1/groups", {"name": nothing, "members": [bob.username]}),
    ]
    # Without the look into the documents, where /v1/ is not.
    plain = APIClient(HTTP_AUTHORIZATION=f"Bearer {phone.tokens.access_token}")
    for method, path, body in tries:
        answer = plain.generic(method, path, json.dumps(body), content_type="application/json")
        assert answer.status_code == 400, (path, body, answer.content)
        assert "is empty" in answer.content.decode(), (path, body)
    with pytest.raises(InvalidInput):
        make_bot(username="helper", display_name=nothing)
    assert not User.objects.filter(username="helper").exists()
    assert User.objects.get(id=alice.id).display_name == ""
    assert Contact.objects.get(owner=alice).alias == ""
    assert Conversation.objects.filter(kind="group").count() == Group.objects.count() == 1
    assert list(Message.objects.filter(kind="text").values_list("text")) == [("x",)]
    assert not Report.objects.exists()


@pytest.mark.django_db
def test_every_door_stores_the_one_form(people):
    alice, bob = people
    phone = device_of(alice)
    typed = "  Cafe\u0301\u200b \u202eMill\u3164 "
    assert phone.patch("/api/v1/me", {"display_name": typed}).json()["display_name"] == "Café Mill"
    alias = phone.patch(f"/api/v1/contacts/{bob.id}", {"alias": typed}).json()["alias"]
    group = phone.post("/api/v1/groups", {"name": typed}).json()
    assert (alias, group["name"]) == ("Café Mill", "Café Mill")
    assert access_group_named(alice.id, "Cafe\u0301 \ufeffMill") == int(group["conversation_id"])
    assert make_bot(username="helper", display_name=typed).user.display_name == "Café Mill"
