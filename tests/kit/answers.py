"""REST answers, read strictly: one that is not as documented is a fault.

`assert_documented` is called by every client of `accounts.tests.rest`, so the tests of all
apps prove the OpenAPI document.
"""

from __future__ import annotations

import copy
import json
import re
import threading
from functools import cache
from typing import Any

import jsonschema_rs
from django.urls import Resolver404, resolve

Json = dict[str, Any]

# What an address without this method, or no address at all, says is not in the document.
UNDOCUMENTED = {405: "method_not_allowed"}


# Tests ask from several threads at once, and the generator is for one at a time.
_making = threading.Lock()


def rest_document() -> Json:
    """The OpenAPI document, as it is served."""
    with _making:
        return _made_document()


@cache
def _made_document() -> Json:
    from drf_spectacular.generators import SchemaGenerator

    document: Json = json.loads(json.dumps(SchemaGenerator().get_schema(None, public=True)))
    return document


@cache
def strict_document() -> Json:
    """The same, where no object may have a key that is not documented."""
    document = copy.deepcopy(rest_document())
    for schema in document["components"]["schemas"].values():
        if "properties" in schema:
            schema["additionalProperties"] = False
    return document


def assert_documented(method: str, path: str, status: int, content_type: str, body: bytes) -> None:
    """That the document says that this request may be answered like that."""
    try:
        route = "/" + re.sub(r"<\w+:(\w+)>", r"{\1}", resolve(path).route)
    except Resolver404:
        return
    operation = rest_document()["paths"].get(route, {}).get(method.lower())
    if operation is None:
        assert json.loads(body)["code"] == UNDOCUMENTED[status], (method, route)
        return
    place = f"{method} {route}: {status}"
    assert str(status) in operation["responses"], f"{place} is not in the document"
    answer = operation["responses"][str(status)]
    if "content" not in answer:
        assert not body, f"{place} has no body in the document"
        return
    assert content_type == "application/json", place
    _validator(answer["content"][content_type]["schema"]["$ref"]).validate(json.loads(body))
    if status >= 400:
        code = json.loads(body)["code"]
        assert f"`{code}`" in answer["description"], f"{place} {code} is not in the document"


@cache
def _validator(reference: str) -> Any:
    schema = {"$ref": reference, "components": strict_document()["components"]}
    return jsonschema_rs.Draft202012Validator(schema, validate_formats=True)
