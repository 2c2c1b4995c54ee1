"""Which usernames there are, and which are the same to a reader (S20)."""

import unicodedata

import pytest
from rest_framework.test import APIClient

from accounts.names import clean_username, username_key
from accounts.tests.rest import make_user
from common.errors import InvalidInput
from tests.kit.secret_scan import PASSWORD

# Each line: a name, and names a reader could take for it.
SAME = [
    ("paypal", ["PayPal", "PAYPAL", "раураӏ", "paypaI", "paypa1", "раурал".replace("л", "ӏ")]),
    ("alice", ["ALICE", "aIice", "a1ice", "aiice", "ÁLICE".replace("Á", "A")]),
    ("ian", ["Ian", "lan", "1an", "IAN"]),
    ("bob", ["Bob", "B0B", "b0b"]),
    ("modern", ["rnodern", "Modern", "rnodem".replace("m", "rn")]),
    ("иван", ["Иван", "ИВАН"]),
    ("соре", ["cope", "COPE", "Cope"]),
    ("straße", ["STRASSE", "strasse"]),
    ("josé", ["JOSÉ", "jose\u0301", "José"]),
    ("µικρο".replace("µ", "μ"), ["Μικρο"]),
    ("a-b", ["A-B"]),
    ("user_1", ["user_l", "user_I", "USER_i"]),
]
DIFFERENT = [
    ("alice", "alicia"),
    ("anna", "hanna"),
    ("jose", "josé"),
    ("van", "nan"),
    ("a.b", "a-b"),
    ("a_b", "a-b"),
    ("иван", "иванов"),
    ("user2", "user3"),
]
INVISIBLE = [
    *"\u200b\u200c\u200d\u200e\u200f\u2060\u2061\u2062\u2063\u2064\ufeff\u00ad\u034f\u061c",
    *"\u115f\u1160\u3164\uffa0\u17b4\u17b5\u180b\u180c\u180d\u180e\u2800\ufe00\ufe0f",
    *"\u206a\u206b\u206c\u206d\u206e\u206f\U000e0001\U000e0061\U000e0100",
]
OTHER_FORMS = ["ｐａｙｐａｌ", "𝐩𝐚𝐲𝐩𝐚𝐥", "𝓅𝒶𝓎", "ⓟⓐⓨ", "ﬁve", "pay²", "ⅣⅣⅣ", "㎏㎏㎏", "ªªª", "ﷺﷺﷺ"]
MIXED = [
    "pаypal",
    "аlice",
    "bοb",
    "Αlice",
    "pay\u0440al",
    "ｂоb",
    "Ьob",
    "goоgle",
    "micrоsoft",
    "λambda",
    "аdmin",
    "rооt",
    "ѕystem",
    "suppоrt",
    "ехample",
    "tеst",
    "Вob",
    "nеo",
    "kіm",
    "հello",
]
BIDI = [*"\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"]
CONTROLS = [
    chr(n)
    for n in (*range(0x20), *range(0x7F, 0xA0))
    if chr(n) not in "\t\n\r\x1c\x1d\x1e\x1f\x85\x0b\x0c"
]
ZALGO = ["a\u0335\u0336\u0337b", "a\u0310\u0311\u0312lice", "e\u20dd\u20deve", "\u0301\u0302\u0303"]
SYMBOLS = list("!\"#$%&'()*+,/:;<=>?@[\\]^`{|}~ §€😀♥→")


@pytest.mark.parametrize(("name", "others"), SAME)
def test_names_that_look_alike_have_one_key(name, others):
    assert {username_key(other) for other in others} == {username_key(name)}


@pytest.mark.parametrize(("one", "other"), DIFFERENT)
def test_names_that_look_different_have_different_keys(one, other):
    assert username_key(one) != username_key(other)


@pytest.mark.parametrize("character", [*INVISIBLE, *CONTROLS, *SYMBOLS])
def test_a_name_holds_nothing_but_letters_digits_and_three_marks(character):
    with pytest.raises(InvalidInput) as refused:
        clean_username(f"ali{character}ce")
    assert list(refused.value.fields or {}) == ["username"]


@pytest.mark.parametrize("name", [*OTHER_FORMS, *MIXED, *ZALGO])
def test_a_disguised_name_is_refused(name):
    with pytest.raises(InvalidInput):
        clean_username(name)


@pytest.mark.parametrize("control", BIDI)
def test_direction_controls_are_taken_out(control):
    assert clean_username(f"ali{control}ce") == "alice"


@pytest.mark.parametrize("name", ["Нор", "ВОВ", "ΝΙΚ", "НАТА", "МАМА"])
def test_capitals_that_only_look_latin_are_refused(name):
    with pytest.raises(InvalidInput):
        clean_username(name)


@pytest.mark.parametrize(
    "name",
    ["alice", "Alice", "a.b-c_d", "x01", "José", "Łukasz", "Иван", "Соня", "ελένη", "田中さくら",
     "李小龍", "김철수", "דוד", "محمد", "a" * 32],
)  # fmt: skip
def test_ordinary_names_of_many_scripts_are_taken_as_typed(name):
    assert clean_username(unicodedata.normalize("NFD", name)) == name


@pytest.mark.parametrize("name", ["李白", "수지", "ゆき", "ユキ", "さく", "李小", "〇一"])
def test_two_characters_are_a_name_where_each_is_a_syllable_or_a_word(name):
    assert clean_username(name) == name


@pytest.mark.parametrize("name", ["李", "수", "李1", "1李", "jo", "Ян", "یا", "a李", "ひ-", "수_"])
def test_elsewhere_two_characters_are_too_few(name):
    with pytest.raises(InvalidInput):
        clean_username(name)


WITH_SIGNS = [
    *(
        "Gal·la",
        "MARCEL·LÍ",
        "ג׳ורג׳",
        "צה״ל",
        "བཀྲ་ཤིས་",
        "ジョン・スミス",
        "〇一二",
        "二〇",
        "Kaʻiulani",
    ),
    *("ʻIolani", "Марʼяна", "лукʼян1"),
]


@pytest.mark.parametrize("name", WITH_SIGNS)
def test_a_name_holds_the_signs_its_words_are_written_with(name):
    assert clean_username(unicodedata.normalize("NFD", f" {name}")) == name


@pytest.mark.parametrize(
    "name",
    ["al·ice", "·alla", "al·", "bob׳s", "׳דוד", "a་b་c", "jo・hn", "・ジョン", "ジョン・", "김・철수", "aliceʻ",
     "Иʻван", "ʼбоб", "bobʼs", "Марʼ", "a〇b", "Kaʻʻiu", "ʻ12", "12·34"],
)  # fmt: skip
def test_such_a_sign_beside_letters_of_others_is_refused(name):
    with pytest.raises(InvalidInput):
        clean_username(name)


def test_a_sign_that_is_drawn_like_an_apostrophe_is_one_with_it():
    assert {username_key(f"Ka{sign}iulani") for sign in "ʻʼ'‘’"} == {username_key("kaʻiulani")}


@pytest.mark.django_db
@pytest.mark.parametrize("name", ["PayPal", "раураӏ", "paypa1", "PAYPAL"])
def test_nobody_registers_as_somebody_elses_look_alike(name):
    make_user("paypal")
    answer = APIClient().post(
        "/api/v1/auth/register",
        {"username": name, "email": "fake@example.org", "password": PASSWORD},
    )
    assert answer.status_code == 409
    assert list(answer.json()["fields"]) == ["username"]
