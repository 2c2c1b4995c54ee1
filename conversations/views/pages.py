"""The page of a log that a request asks for."""

from collections.abc import Mapping

from drf_spectacular.utils import OpenApiParameter

from common.errors import InvalidInput
from common.rest.pagination import PAGE_PARAMETERS
from conversations import serializers as shapes
from conversations.selectors.log import (
    Page,
    access_page_after,
    access_page_around,
    access_page_before,
)

POSITION = {"type": "integer", "minimum": 0, "maximum": shapes.POSITION_MAX}
PLACES = [
    OpenApiParameter("before", POSITION, description="Messages before this position."),
    OpenApiParameter("after", POSITION, description="Messages after this position."),
    OpenApiParameter("around", POSITION, description="Messages around this position."),
    PAGE_PARAMETERS[0],
]


def read_log_page(
    query: Mapping[str, str], *, user_id: int, conversation_id: int, limit: int
) -> Page:
    """The page that `before`, `after` or `around` names, else the newest. InvalidInput, NotFound."""
    places = [name for name in ("before", "after", "around") if name in query]
    if len(places) > 1:
        raise InvalidInput(fields=dict.fromkeys(places, "say only one of these"))
    address = {"user_id": user_id, "conversation_id": conversation_id, "limit": limit}
    if "after" in query:
        return access_page_after(after=read_position(query, "after"), **address)
    if "around" in query:
        return access_page_around(around=read_position(query, "around"), **address)
    before = read_position(query, "before") if "before" in query else shapes.POSITION_MAX
    return access_page_before(before=before, **address)


def read_position(query: Mapping[str, str], name: str) -> int:
    """A parameter that is a position. InvalidInput."""
    text = query[name]
    if (
        not text.isascii()
        or not text.isdigit()
        or len(text) > 19
        or int(text) > shapes.POSITION_MAX
    ):
        raise InvalidInput(fields={name: "is not a position"})
    return int(text)
