"""What goes wrong with a provider: who asked is told, nothing is paid twice, nothing gets lost."""

import socket
import uuid

import pytest
from django.utils import timezone

from chatbot.models import Answer
from chatbot.providers.faults import ProviderFault
from chatbot.providers.interface import Prompt, Turn
from chatbot.providers.openai import OpenAIProvider
from chatbot.tests.bots import answer_to, ask, talk
from tests.kit.ai_provider import KEY, RAW

# Nothing here depends on the database behind it.
pytestmark = pytest.mark.embedded_only

# What is told, what the row says, and how often the provider was asked.
FAULTS = {
    "throttled": ("You said: ", "", 2),
    "busy": ("too much to do", "overloaded", 3),
    "failing": ("cannot be reached", "unavailable", 3),
    "penniless": ("no credit left", "no_credit", 1),
    "locked": ("does not accept", "key_refused", 1),
    "redirecting": ("I cannot read", "broken", 1),
    "hanging": ("took too long", "timed_out", 1),
    "reset": ("cannot be reached", "unavailable", 1),
    "stuck": ("I was about to\n\n(The AI provider took too long", "timed_out", 1),
    "dribbling": ("took too long", "timed_out", 1),
    "cut": ("Half an answer\n\n(The connection to the AI provider broke", "cut", 1),
    "unfinished": ("Half an answer\n\n(The connection to the AI provider broke", "cut", 1),
    "no-end": ("All of it", "", 1),
    "error-in-200": ("I cannot read", "broken", 1),
    "error-in-stream": ("It begins well\n\n(The AI provider sent something", "broken", 1),
    "garbage": ("I cannot read", "broken", 1),
    "not-streaming": ("All at once", "", 1),
    "rude": ("abc <img src=x> ![](http://x/y) \U0001f600", "", 1),
}


@pytest.fixture
def chats_with(model, request):
    """One that waits not for long only where that is what the fault is about."""
    return request.getfixturevalue("hasty" if FAULTS[model][1] == "timed_out" else "chats")


@pytest.mark.parametrize("model", FAULTS)
async def test_a_fault_is_told_once_and_asked_about_once(chats_with, provider, model):
    told, fault, requests = FAULTS[model]
    person, conversation_id = await chats_with.asking(model)
    calm = await chats_with.talk_to(person, "assistant")
    question = f"why {uuid.uuid4().hex}"
    async with person.live() as socket:
        # Faults in a row would open the circuit; this is about each by itself.
        assert await talk(socket, calm, "hello") == "You said: hello"
        seq = await ask(socket, conversation_id, question)
        message = await answer_to(socket, seq)
        finished = await socket.expect("bot.finished", conversation_id=conversation_id)
    assert told in message["text"]
    assert RAW not in message["text"]
    assert message["sender_id"] == chats_with.bots[model]
    assert len(provider.about(question)) == requests
    status = "failed" if fault else "done"
    assert finished["status"] == status
    assert chats_with.answers(conversation_id) == [(seq, status, fault, False)]
    assert [place for place, _ in chats_with.stored(conversation_id)] == [1, 2]


def test_a_provider_that_keeps_failing_is_left_alone_for_a_while(provider):
    # A provider of its own: its circuit is that of no server of other tests.
    asked = OpenAIProvider(provider.base_url, KEY)
    faults = [fault_of(asked, "error-in-200") for _ in range(7)]
    assert faults == ["broken"] * 5 + ["resting"] * 2
    assert fault_of(asked, "echo") == "resting"
    # What is nobody's fault but ours opens no circuit.
    other = OpenAIProvider(provider.base_url, KEY)
    assert {fault_of(other, "penniless") for _ in range(7)} == {"no_credit"}
    assert fault_of(other, "echo") == ""


def test_where_nobody_listens_nothing_is_reached():
    # Bound, so that nobody else can listen there meanwhile.
    with socket.socket() as deaf:
        deaf.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{deaf.getsockname()[1]}/v3"
        assert fault_of(OpenAIProvider(address, KEY), "echo") == "unavailable"


def fault_of(provider, model):
    turn = Turn("user", "alice", "hello")
    prompt = Prompt("bot", "alice", "UTC", False, "hello", [turn], timezone.now(), Answer(), model)
    try:
        return "".join(piece or "" for piece in provider.answer(prompt)) and ""
    except ProviderFault as fault:
        return fault.code


async def test_neither_key_nor_text_is_in_any_log(chats):
    person, conversation_id = await chats.asking("penniless")
    async with person.live() as socket:
        await talk(socket, conversation_id, "whisper-canary-81")
    log = chats.server.log
    assert "bot_asked" in log
    assert not [secret for secret in (KEY, RAW, "whisper-canary-81", "You said") if secret in log]
