"""One word typed on two keyboards is one word, wherever people type it: docs/spelling.md."""

import unicodedata
from importlib import import_module

import pytest
from django.apps import apps
from django.contrib.auth import authenticate
from django.core import mail
from django.core.management import call_command
from django.db import connection
from django.test import Client
from rest_framework.test import APIClient

from accounts.choices import CodeKind
from accounts.models import Session, User
from accounts.names import clean_email, clean_username, email_key, username_key
from accounts.services.codes import issue_code
from accounts.tests.mailbox import mails_to
from accounts.tests.rest import device_of, make_user
from common.errors import InvalidInput
from common.text import clean_label, normal_code, normal_password
from tests.kit.concurrency import run_together
from tests.kit.secret_scan import PASSWORD

# An address as it is stored, and other spellings of the same box.
ADDRESSES = [
    ("anna@example.org", ["Anna@EXAMPLE.org", "ａｎｎａ@example.org", "anna＠example.org"]),
    ("anna@example.org", ["anna@example.org.", "anna@example。org", "anna@ｅxample．org"]),
    (
        "anna@example.org",
        ["an\u200bna@example.org", "\ufeffanna@example.org ", '"anna"@example.org'],
    ),
    ("anna@münchen.example", ["anna@xn--mnchen-3ya.example", "anna@XN--MNCHEN-3YA.example"]),
    ("anna@münchen.example", ["anna@MÜNCHEN.example", "anna@mu\u0308nchen.example"]),
    ("anna@例え.テスト", ["anna@xn--r8jz45g.xn--zckzah", "anna＠例え。テスト", "anna@例え｡テスト"]),
    ("anna@straße.example", ["anna@xn--strae-oqa.example", "ANNA@straße.example"]),
    ("anna@xn--qei.example", ["anna@❤.example", "anna@XN--QEI.Example"]),
    ("anna@[192.0.2.1]", ["ANNA@[192.0.2.1]"]),
    ("anna@[2001:db8::1]", ["anna@[2001:DB8:0:0::1]", "anna@[IPv6:2001:db8::1]"]),
]
OTHER_ADDRESSES = [
    ("anna@example.org", "anna@example.com"),
    ("anna@straße.example", "anna@strasse.example"),
    ("anna@münchen.example", "anna@munchen.example"),
    ("anna.b@example.org", "annab@example.org"),
    ('"an na"@example.org', '"anna"@example.org'),
]
NO_ADDRESSES = [
    "anna",
    "@example.org",
    "anna@",
    "anna@.",
    "anna@a b.org",
    "a\r\nb@example.org",
    "anna@＠",
    *("İnci@example.org", "ann\u0131@example.org"),
]

# What names are said to be the same as; look-alikes have a test of their own.
USERNAMES = [
    ("josé", ["jose\u0301", "JOSÉ", " josé ", "ｊｏｓé"]),
    ("anna", ["ａｎｎａ", "ＡＮＮＡ", "an\u200bna", "Anna"]),
    ("ibrahim", ["İbrahim", "IBRAHIM", "İBRAHİM", "ıbrahım"]),
    ("straße", ["STRASSE", "strasse"]),
    ("anna12", ["anna１２", "anna۱۲", "anna١٢"]),
    ("علی", ["علي"]),
    ("علی\u200cرضا", ["علیرضا"]),
    ("Νίκος", ["ΝΊΚΟΣ", "νίκοσ"]),
    ("한국인", [unicodedata.normalize("NFD", "한국인")]),
    ("हिन्दी", [unicodedata.normalize("NFD", "हिन्दी")]),
]
# What people are called, in scripts whose words need marks, joiners or letters without case.
PEOPLE = [
    *("हिन्दी", "অনিতা", "ਗੁਰਪ੍ਰੀਤ", "தமிழ்செல்வி", "తెలుగు", "ಕನ್ನಡ", "മലയാളം", "සිංහල"),
    *("ปิติ", "สุดารัตน์", "ພຸດທະ", "မြန်မာ", "ខ្មែរ", "བཀྲ་ཤིས".replace("་", ""), "ދިވެހި"),
    *("علی\u200cرضا", "محمد", "שָׂרָה", "דוד", "佐々木", "マリー", "すずき", "김철수", "አበበ", "ᏣᎳᎩ"),
    *("Nguyễn", "Łukasz", "Þórunn", "Željko", "Иван", "Ελένη", "Ալեք", "ნინო", "क्\u200dष"),
    "ക്രിസ്റ്റഫര്\u200d",
]
PASSWORDS = [
    (PASSWORD, [PASSWORD]),
    ("päßword für mich", ["pa\u0308ßword fu\u0308r mich", "päßword\u00a0für\u3000mich"]),
    ("ключ от дома й", ["ключ от дома и\u0306"]),
    ("한국어 비밀번호", [unicodedata.normalize("NFD", "한국어 비밀번호")]),
]
CODE = "Zk3-_9aBcDeFgHiJkLmNoPqRsTuVwXyZ0123456789-"
PASTED = [
    f" {CODE}\r\n",
    f"{CODE[:20]}\r\n  {CODE[20:]}",
    f"\ufeff{CODE[:9]}\u200b{CODE[9:]}",
    "".join(f"{c}\u2060" for c in CODE),
    CODE.replace("-", "\u2011"),
    CODE.replace("-", "\u2013"),
    CODE.replace("-", "\u2212"),
    "".join(chr(ord(c) + 0xFEE0) for c in CODE),
    f"{CODE[:3]}\u00a0{CODE[3:]}\u2028",
    CODE.translate({ord("0") + n: chr(0x06F0 + n) for n in range(10)}),
]


@pytest.mark.parametrize(("stored", "typed"), ADDRESSES)
def test_spellings_of_one_mailbox_are_one(stored, typed):
    assert clean_email(stored) == stored
    for spelling in typed:
        assert email_key(spelling) == email_key(stored), spelling
        assert email_key(clean_email(spelling)) == email_key(stored), spelling


@pytest.mark.parametrize(("one", "other"), OTHER_ADDRESSES)
def test_other_mailboxes_are_others(one, other):
    assert email_key(one) != email_key(other)


@pytest.mark.parametrize("address", NO_ADDRESSES)
def test_what_is_no_address_is_refused(address):
    with pytest.raises(InvalidInput):
        clean_email(address)


@pytest.mark.parametrize(("name", "typed"), USERNAMES)
def test_spellings_of_one_name_are_one(name, typed):
    assert {username_key(spelling) for spelling in typed} == {username_key(name)}


@pytest.mark.parametrize("name", PEOPLE)
def test_people_may_be_called_what_they_are_called(name):
    name = unicodedata.normalize("NFC", name)
    assert clean_username(unicodedata.normalize("NFD", name)) == name
    assert username_key(name) == username_key(unicodedata.normalize("NFD", name))


@pytest.mark.parametrize(
    "name",
    [
        "ali\u200dce",
        "क\u0300ख",
        "कक\u093f\u093f\u093f\u093f",
        "\u093eकख",
        "क\u200c-ख",
        "anna\u02bc",
        "ー__",
    ],
)
def test_marks_and_joiners_disguise_no_name(name):
    with pytest.raises(InvalidInput):
        clean_username(name)


def test_digits_of_any_script_are_stored_as_digits():
    assert clean_username("علی۱۲") == "علی12"


@pytest.mark.parametrize("pasted", PASTED)
def test_a_code_is_the_same_however_it_was_pasted(pasted):
    assert normal_code(pasted) == CODE


@pytest.mark.parametrize("code", [CODE.lower(), CODE[:-1], CODE.replace("-", ""), CODE + "x"])
def test_another_code_is_another(code):
    assert normal_code(code) != CODE


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("Anna's iPhone", "Anna's iPhone"),
        ("x\r\ny\u202e\x1b[31m", "x y [31m"),
        ("\u3164\u200b", ""),
        ("a\tb\u2028c\x00d\x9b", "a b c d"),
        ("\ud800", ""),
        ("cafe\u0301", "café"),
        ("z\u0300\u0301\u0302\u0303\u0304\u0305", ""),
        ("a" * 70, "a" * 64),
    ],
)
def test_what_a_device_calls_itself_is_one_clean_line(said, shown):
    assert clean_label(said, max_length=64) == shown


def test_a_plain_password_stays_what_it_is():
    printable = "".join(map(chr, range(32, 127)))
    assert normal_password(printable) == printable
    assert normal_password("ａ") == "ａ"


# --- the same through the doors -------------------------------------------------------


def post(path, **body):
    return APIClient().post(f"/api/v1/auth/{path}", body)


def old(path, **body):
    return APIClient().post(f"/v1/auth/{path}", body)


@pytest.mark.django_db
@pytest.mark.parametrize(("password", "typed"), PASSWORDS)
def test_a_password_is_the_same_on_every_keyboard(password, typed):
    others: list[str] = [password, *typed[:-1]]
    last = typed[-1]
    user = make_user("wren", password=others[0], is_staff=True, is_superuser=True)
    for spelling in (*others, last):
        assert post("login", login="wren", password=spelling).status_code == 200
        assert old("login", email="wren@example.org", password=spelling).status_code == 201
        assert authenticate(username="wren", password=spelling) == user
        form = {"username": "wren", "password": spelling, "next": "/admin/"}
        assert Client().post("/admin/login/", form).status_code == 302
    assert post("login", login="wren", password=f"{password}x").status_code == 401
    device = device_of(user)
    body = {"password": last, "new_password": f"{last} neu"}
    assert device.post("/api/v1/auth/password/change", body).status_code == 204
    assert device.delete("/api/v1/me", {"password": f"{password} neu"}).status_code == 204


@pytest.mark.django_db
def test_the_length_of_a_password_is_that_of_its_one_form():
    # Four letters, of which some keyboards make eight.
    answer = post("register", username="wren", email="w@example.org", password="a\u0308" * 4)
    assert answer.status_code == 400
    assert "8" in answer.json()["fields"]["password"]


@pytest.mark.django_db
@pytest.mark.parametrize("door", ["new", "old"])
@pytest.mark.parametrize(("stored", "typed"), ADDRESSES)
def test_one_mailbox_is_one_account(settings, door, stored, typed):
    make_user("wren", email=stored, password=PASSWORD)
    for spelling in (stored, *typed):
        body = {"username": "kestrel", "email": spelling, "password": PASSWORD}
        answer = post("register", **body) if door == "new" else old("register", **body)
        assert (answer.status_code, "email" in str(answer.json())) == (
            (409, True) if door == "new" else (400, True)
        )
        login = post if door == "new" else old
        name = "login" if door == "new" else "email"
        answer = login("login", **{name: spelling, "password": PASSWORD})
        assert answer.status_code < 300, spelling
    assert User.objects.filter(is_bot=False).count() == 1


@pytest.mark.django_db(transaction=True)
def test_mail_goes_to_the_box_by_its_one_name(settings):
    settings.EMAIL_CONFIRMATION = True
    make_user("wren", email="wren@straße.example")
    assert post("password/reset", email="WREN＠xn--strae-oqa。example").status_code == 204
    [sent] = mails_to("wren@xn--strae-oqa.example")
    assert sent.message()["To"] == "wren@xn--strae-oqa.example"
    user = make_user("kestrel", email="kestrel@example.org", password=PASSWORD)
    body = {"email": "kestrel@xn--mnchen-3ya.example", "password": PASSWORD}
    answer = device_of(user).patch("/api/v1/me", body)
    assert answer.json()["pending_email"] == "kestrel@münchen.example"
    mails_to("kestrel@xn--mnchen-3ya.example")
    assert len(mail.outbox) == 2


@pytest.mark.django_db
@pytest.mark.parametrize("pasted", ["{} ", "{0:.9}\r\n{1}", "\ufeff{}", "{}\u200b"])
def test_a_mailed_code_may_be_pasted(pasted):
    user = make_user("wren", email="wren@example.org")
    code = issue_code(user=user, kind=CodeKind.RESET_PASSWORD, address=user.email)
    typed = pasted.format(code, code[9:])
    assert post("password/reset/confirm", code=typed, password=PASSWORD).status_code == 204
    assert post("login", login="WREN", password=PASSWORD).status_code == 200


@pytest.mark.django_db
def test_people_are_found_and_added_by_any_spelling():
    phone = device_of(make_user("wren"))
    for name, typed in USERNAMES:
        other = make_user(f"{name}" if len(name) > 2 else f"{name}{name}", email="x@example.org",
                          email_is_known_to_be_theirs=False)  # fmt: skip
        for spelling in (name, *typed):
            found = phone.get("/api/v1/users", {"username": spelling}).json()["results"]
            assert [user["id"] for user in found] == [str(other.id)], spelling
            found = phone.get("/api/v1/users", {"prefix": spelling}).json()["results"]
            assert str(other.id) in [user["id"] for user in found], spelling
            assert phone.post("/api/v1/contacts", {"username": spelling}).status_code in {200, 201}
        other.delete()


@pytest.mark.django_db
def test_operators_name_people_in_any_spelling(capsys):
    user = make_user("josé", email="jose@münchen.example")
    call_command("disconnect_user", "JOSE\u0301")
    assert User.objects.get(id=user.id).disconnects == 1
    root = Client()
    root.force_login(make_user(is_staff=True, is_superuser=True))
    for term in ("jose\u0301", "ＪＯＳé", "JOSE@xn--mnchen-3ya.example", "jose＠münchen。example"):
        page = root.get("/admin/accounts/user/", {"q": term}).content.decode()
        assert str(user.id) in page, term


@pytest.mark.django_db
def test_the_list_of_devices_shows_clean_names():
    make_user("wren", password=PASSWORD)
    body = {"login": "wren", "password": PASSWORD, "device": "x\r\ny\u202e\x1b[31m"}
    agent = "browser\x1b]0;pwned\x07\u202e"
    answer = APIClient().post("/api/v1/auth/login", body, HTTP_USER_AGENT=agent)
    assert answer.status_code == 200
    session = Session.objects.get()
    assert (session.device, session.user_agent) == ("x y [31m", "browser ]0;pwned")
    refreshed = {"refresh_token": answer.json()["refresh_token"]}
    APIClient().post("/api/v1/auth/refresh", refreshed, HTTP_USER_AGENT="a\x07b")
    session.refresh_from_db()
    assert session.user_agent == "a b"


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    ("field", "spellings"),
    [
        (
            "email",
            ["anna@münchen.example", "anna@xn--mnchen-3ya.example", "ANNA＠MÜNCHEN。example"],
        ),
        ("username", ["josé", "jose\u0301", "JOSÉ", "JOSE\u0301"]),
    ],
)
def test_of_two_spellings_at_once_one_wins(field, spellings):
    def register(number, spelling):
        body = {"username": f"bird{number}", "email": f"bird{number}@example.org"}
        return post("register", **{**body, field: spelling, "password": PASSWORD}).status_code

    calls = [lambda n=n, s=s: register(n, s) for n, s in enumerate(spellings)]
    assert sorted(run_together(calls)) == [201] + [409] * (len(spellings) - 1)


@pytest.mark.django_db(transaction=True)
def test_keys_of_older_accounts_are_made_anew():
    first, second = make_user("wren", email="a@xn--mnchen-3ya.example"), make_user("kestrel")
    User.objects.filter(id=first.id).update(email_key="a@xn--mnchen-3ya.exampl3")
    User.objects.filter(id=second.id).update(
        email="a@münchen.example", email_key="a@münchen.example", username_key="kestre1"
    )
    migration = import_module("accounts.migrations.0006_spellings")
    with connection.schema_editor() as editor:
        migration.renew_keys(apps, editor)
    first.refresh_from_db()
    second.refresh_from_db()
    assert first.email_key == email_key("a@münchen.example")
    # Two boxes that were one all the while: the older account keeps it.
    assert (second.email_key, second.username_key) == (None, username_key("kestrel"))
