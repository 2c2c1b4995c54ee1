"""What people type is stored in one clean form, or refused with the reason."""

import re
import unicodedata

import pytest
from django.conf import settings
from hypothesis import given
from hypothesis import strategies as st

from common.errors import InvalidInput, TooLarge
from common.text import clean_line, clean_text

CONTROLS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\u202a-\u202e\u2066-\u2069]")
# Mostly what the rules are about: controls, marks that compose, directions, surrogates.
typed = st.text(
    st.one_of(
        st.characters(exclude_categories=[]),
        st.sampled_from(
            "aé \t\n\r\x00\x1b\x7f\x85\u0301\u202e\u2066\u2069\ud800\u2028\u212b한\u200d\u200b\ufe0f❤\u3164\u1160अ्"
        ),
    )
)


@given(typed)
def test_a_text_comes_out_clean_or_is_refused(value):
    try:
        cleaned = clean_text(value)
    except (InvalidInput, TooLarge):
        return
    assert cleaned.strip()
    assert CONTROLS.search(cleaned) is None
    assert unicodedata.is_normalized("NFC", cleaned)
    assert clean_text(cleaned) == cleaned


@given(typed)
def test_a_line_comes_out_clean_or_is_refused(value):
    try:
        cleaned = clean_line(value, "name", max_length=20)
    except InvalidInput:
        return
    assert 0 < len(cleaned) <= 20
    assert cleaned == cleaned.strip()
    assert CONTROLS.search(cleaned) is None
    assert len(cleaned.splitlines()) == 1
    assert unicodedata.is_normalized("NFC", cleaned)
    assert clean_line(cleaned, "name", max_length=20) == cleaned


@given(st.text(st.characters(min_codepoint=32, max_codepoint=126), min_size=1, max_size=200))
def test_plain_text_stays_as_it_was_typed(value):
    if value.strip():
        assert clean_text(value) == value


@pytest.mark.parametrize(
    ("typed", "stored"),
    [
        ("one\r\ntwo\tthree\n", "one\ntwo\tthree\n"),
        ("e\u0301", "é"),
        ("pay \u202eevil\u202c now", "pay evil now"),
        ("\u2067x\u2069", "x"),
        ("👩\u200d👩\u200d👧", "👩\u200d👩\u200d👧"),
        ("  kept  ", "  kept  "),
    ],
)
def test_what_is_stored_of_a_text(typed, stored):
    assert clean_text(typed) == stored


@pytest.mark.parametrize("value", ["", " ", "\n\t", "\u202e", "\u3000"])
def test_a_blank_text_is_empty(value):
    with pytest.raises(InvalidInput) as refusal:
        clean_text(value, "body")
    assert refusal.value.fields == {"body": "is empty"}


@pytest.mark.parametrize("value", ["a\x00", "\x1b[2J", "a\rb", "\x7f", "\x9f", "\ud800", "é\udfff"])
def test_control_characters_and_half_characters_are_refused(value):
    with pytest.raises(InvalidInput) as refusal:
        clean_text(value)
    assert refusal.value.fields == {"text": "holds control characters"}


def test_the_longest_text_is_measured_in_characters_and_in_bytes():
    characters, size = settings.TEXT_MAX_CHARACTERS, settings.TEXT_MAX_BYTES
    assert clean_text("x" * characters)
    with pytest.raises(TooLarge):
        clean_text("x" * (characters + 1))
    # NFC spells this one character as three: 12 bytes out of 4.
    longest = size // len(unicodedata.normalize("NFC", "\U0001d160").encode())
    assert clean_text("\U0001d160" * longest)
    with pytest.raises(TooLarge):
        clean_text("\U0001d160" * (longest + 1))


@pytest.mark.parametrize("value", ["a\nb", "a\tb", "a\u2028b", "a\u2029b", "a\x00b", "\n"])
def test_a_line_has_no_breaks(value):
    with pytest.raises(InvalidInput):
        clean_line(value, "name", max_length=20)
