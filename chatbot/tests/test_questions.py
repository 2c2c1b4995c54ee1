"""Who is called by a message, however the call is typed."""

import pytest

from accounts.names import username_key
from chatbot.questions import is_called, what_is_asked

pytestmark = [pytest.mark.embedded_only, pytest.mark.both_databases]

CALLS = [
    ("assistant", "@assistant what now?", "what now?"),
    ("assistant", "@Assistant, what now?", "what now?"),
    ("assistant", "＠assistant what now?", "what now?"),
    ("assistant", "@ＡＳＳＩＳＴＡＮＴ what now?", "what now?"),
    ("assistant", "@assistant. What now?", ". What now?"),
    ("assistant", "well, @assistant", "well, @assistant"),
    ("सहायक", "@सहायक नमस्ते", "नमस्ते"),
    ("हिन्दी", "@हिन्दी: नमस्ते", "नमस्ते"),
    ("josé", "@jose\u0301 hola", "hola"),
    ("علی\u200cرضا", "@علی\u200cرضا سلام", "سلام"),
]
NOT_CALLS = ["assistant", "x@assistant.example", "@assistants hi", "@@assistant", "@ assistant", ""]


@pytest.mark.parametrize(("name", "text", "asked"), CALLS)
def test_a_name_is_understood_however_it_is_typed(name, text, asked):
    key = username_key(name)
    assert is_called(text, key, by_command=False)
    assert what_is_asked(text, key).lstrip(". ") == asked.lstrip(". ")


@pytest.mark.parametrize("text", NOT_CALLS)
def test_others_are_not_meant(text):
    assert not is_called(text, username_key("assistant"), by_command=True)


@pytest.mark.parametrize(
    "text", ["/ask what", "/ASK what", "／ask what", "／ａｓｋ what", " /ask\nwhat"]
)
def test_the_command_is_understood_in_full_width(text):
    assert is_called(text, "x", by_command=True)
    assert not is_called(text, "x", by_command=False)
    assert what_is_asked(text, "x") == "what"
