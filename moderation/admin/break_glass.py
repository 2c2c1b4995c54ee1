"""Breaking the glass: what a session of the admin may read for a while, after it said why.

Nothing is shown before its reading is in the audit log.
"""

import time
from collections import defaultdict
from collections.abc import Iterable

from django.conf import settings
from django.http import HttpRequest

from moderation.admin.actions import AdminAction, actor_of
from moderation.services.texts import READ_TEXTS, note_reading, open_texts

_KEY = "texts"


def open_conversations(request: HttpRequest) -> dict[int, str]:
    """The conversations this request may show texts of, each with the reason that was given."""
    # Texts are on pages to look at, never in the answer to a form.
    if request.method != "GET" or not actor_of(request).has_perm(READ_TEXTS):
        return {}
    return {int(id): reason for id, (_, reason) in _current(request).items()}


def note_shown(request: HttpRequest, places: Iterable[tuple[int, int]]) -> None:
    """Write down that the page shows the texts at these (conversation, position)s."""
    reasons = open_conversations(request)
    seqs: dict[int, set[int]] = defaultdict(set)
    for conversation_id, seq in places:
        if conversation_id in reasons:
            seqs[conversation_id].add(seq)
    for id, positions in seqs.items():
        note_reading(
            actor=actor_of(request), conversation_id=id, reason=reasons[id], seqs=positions
        )


def _open(request: HttpRequest, conversation_id: int, reason: str) -> None:
    reason = open_texts(actor=actor_of(request), conversation_id=conversation_id, reason=reason)
    until = time.time() + settings.BREAK_GLASS_SECONDS
    request.session[_KEY] = {**_current(request), str(conversation_id): (until, reason)}


def _current(request: HttpRequest) -> dict[str, tuple[float, str]]:
    now = time.time()
    known: dict[str, tuple[float, str]] = request.session.get(_KEY, {})
    return {id: (until, reason) for id, (until, reason) in known.items() if until > now}


# For rows that have a `conversation_id`.
OPEN = AdminAction(
    name="read",
    label="Read texts",
    done="opened for reading",
    permission=READ_TEXTS,
    act=lambda request, row, form_data: _open(request, row.conversation_id, form_data["reason"]),
    is_available=lambda row: row.conversation_id is not None,
)
# For the conversations themselves.
OPEN_CONVERSATION = AdminAction(
    name="read",
    label="Read texts",
    done="opened for reading",
    permission=READ_TEXTS,
    act=lambda request, row, form_data: _open(request, row.pk, form_data["reason"]),
)
