"""Lists come in pages: `{"results": […], "next": cursor or null}`.

`?limit=` is 1 to 200 (50 if left out), `?after=` the `next` of the page before. Pages
are cut by a unique id, so that rows that come and go neither repeat nor hide others.
"""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any, TypeVar

from django.db.models import Model, QuerySet
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, inline_serializer
from rest_framework import serializers
from rest_framework.request import Request

from common.errors import InvalidInput
from common.ids import parse_id

LIMIT_DEFAULT = 50
LIMIT_MAX = 200

M = TypeVar("M", bound=Model)


@dataclass(frozen=True, slots=True)
class PageRequest:
    """Which page is asked for: at most `limit` rows after the id `after`."""

    limit: int
    after: int | None


def read_query(request: Request, allowed: Collection[str]) -> dict[str, str]:
    """The query's parameters; InvalidInput for unknown ones and for one given twice."""
    problems = {}
    for name, values in request.query_params.lists():
        if name not in allowed:
            problems[name] = "is not a parameter of this address"
        elif len(values) > 1:
            problems[name] = "is given more than once"
    if problems:
        raise InvalidInput(fields=problems)
    return {name: values[0] for name, values in request.query_params.lists()}


def read_limit(query: dict[str, str]) -> int:
    """The `limit` of a query; InvalidInput unless it is 1 to LIMIT_MAX."""
    text = query.get("limit", str(LIMIT_DEFAULT))
    if not text.isascii() or not text.isdigit() or len(text) > 3 or not 1 <= int(text) <= LIMIT_MAX:
        raise InvalidInput(fields={"limit": f"is not a number from 1 to {LIMIT_MAX}"})
    return int(text)


def read_page(request: Request) -> PageRequest:
    """The page a list request asks for; InvalidInput."""
    query = read_query(request, ("limit", "after"))
    limit = read_limit(query)
    try:
        return PageRequest(limit, parse_id(query["after"]) if "after" in query else None)
    except ValueError as error:
        raise InvalidInput(fields={"after": "is not a cursor of this list"}) from error


def page_of(
    rows: QuerySet[M],
    page: PageRequest,
    represent: Callable[[list[M]], Any],
    *,
    newest_first: bool = False,
) -> dict[str, Any]:
    """The body of a list answer: these rows, cut and ordered by id."""
    if page.after is not None:
        rows = rows.filter(**{"id__lt" if newest_first else "id__gt": page.after})
    # One more row than asked for says whether there is another page.
    found = list(rows.order_by("-id" if newest_first else "id")[: page.limit + 1])
    shown = found[: page.limit]
    more = len(found) > page.limit
    return {"results": represent(shown), "next": str(shown[-1].pk) if more else None}


PAGE_PARAMETERS = [
    OpenApiParameter(
        "limit",
        {"type": "integer", "minimum": 1, "maximum": LIMIT_MAX, "default": LIMIT_DEFAULT},
        description="The maximum number of rows.",
    ),
    OpenApiParameter("after", OpenApiTypes.STR, description="The `next` of the previous page."),
]


def page_schema(
    name: str, row: type[serializers.BaseSerializer[Any]]
) -> serializers.Serializer[Any]:
    """The schema of a page of such rows, under this name."""
    return inline_serializer(
        name, {"results": row(many=True), "next": serializers.CharField(allow_null=True)}
    )
