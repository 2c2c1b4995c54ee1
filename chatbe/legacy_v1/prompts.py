"""Questions to the chatbot in a group that came over /v1/.

They are stored as every message is. Old clients are told of the answer only: a mark in
the `client_id` keeps the question from their sockets, wherever those are connected.
"""

import uuid

_MARK = "v1.ask."
# How a question to a group's bot begins.
QUESTION = "/ask "


def prompt_client_id() -> str:
    """A new client_id for such a question."""
    return _MARK + uuid.uuid4().hex


def is_prompt(client_id: str) -> bool:
    return client_id.startswith(_MARK)


def shown_text(client_id: str, text: str) -> str:
    """What was asked, as it was typed."""
    return text.removeprefix(QUESTION) if is_prompt(client_id) else text
