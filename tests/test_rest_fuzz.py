"""The REST interface under requests that its document allows, and under ones that it does not.

Schemathesis makes them up from the OpenAPI document, the same ones in every run; `make fuzz`
sends more. Whoever asks is logged in and has contacts, conversations and messages. Nothing
may fail on our side, and nothing may be answered that the document does not say.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from typing import Any

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode
from schemathesis.checks import (
    content_type_conformance,
    negative_data_rejection,
    not_a_server_error,
    response_schema_conformance,
    status_code_conformance,
)

from tests.kit.answers import assert_documented, strict_document
from tests.kit.secret_scan import PASSWORD
from tests.kit.servers import NO_LIMIT
from tests.kit.site import TestSite

pytestmark = [pytest.mark.embedded_only, pytest.mark.slow]

EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "5"))
SEED = 1
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]
ABSENT = str(2**62)

SCHEMA = schemathesis.openapi.from_dict(strict_document())
OPERATIONS = {found.ok().label: found.ok() for found in SCHEMA.get_all_operations()}


class Door:
    """Somebody with a past, who logs in again whenever a request has ended the session."""

    def __init__(self, site: TestSite) -> None:
        self._stage = site
        self._token = ""
        self.places: dict[str, list[str]] = {}
        self.move_in()

    def move_in(self) -> None:
        """Be somebody new."""
        self._person, friend = self._stage.friends()
        stranger, _ = self._stage.friends()
        self._log_in()
        conversation = self.call("POST", "conversations/direct", {"user_id": friend.user_id})
        for number in range(3):
            body = {"client_id": f"c{number}", "text": "hello", "reply_to": number or None}
            self.call("POST", f"conversations/{conversation['id']}/messages", body)
        self.call("PUT", f"blocks/{stranger.user_id}", None)
        group = self.call("POST", "groups", {"name": "Mill", "member_ids": [friend.user_id]})
        invited = self.call("POST", f"groups/{group['conversation_id']}/invitations", {})
        session = self.call("GET", "sessions", None)["results"][0]
        self.places = {
            "conversation_id": [conversation["id"], group["conversation_id"], ABSENT],
            "invitation_id": [invited["invitation"]["id"], ABSENT],
            "token": [invited["token"]],
            "user_id": [friend.user_id, stranger.user_id, self._person.user_id, ABSENT],
            "session_id": [session["id"], ABSENT],
            "seq": ["1", "3", ABSENT],
            "username": [friend.username, stranger.username, self._person.username],
        }

    def call(self, method: str, path: str, body: Any) -> Any:
        answer = requests.request(
            method,
            f"{self._stage.server.url}/api/v1/{path}",
            json=body,
            headers=self.headers,
            timeout=20,
        )
        answer.raise_for_status()
        return answer.json() if answer.content else None

    def learn(self, answer: requests.Response) -> None:
        """Keep the last few ids of each kind that answers hold."""
        for name, value in _ids_in(answer.json() if answer.content else None, "conversation_id"):
            self.places[name] = [*self.places.get(name, []), value][-8:]

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self._token}"} if self._token else {}

    @property
    def url(self) -> str:
        return self._stage.server.url

    def come_back(self) -> None:
        """After a 401, which is about the session or about what the request said."""
        if requests.get(f"{self.url}/api/v1/me", headers=self.headers, timeout=20).ok:
            return
        try:
            self._log_in()
        except requests.HTTPError:
            self.move_in()

    def _log_in(self) -> None:
        self._token = ""
        login = {"login": self._person.username, "password": PASSWORD}
        self._token = self.call("POST", "auth/login", login)["access_token"]


def _ids_in(body: Any, name: str) -> Iterator[tuple[str, str]]:
    """The ids in an answer and the path parameters that they may be."""
    if isinstance(body, list):
        for part in body:
            yield from _ids_in(part, name)
    elif isinstance(body, dict):
        for key, part in body.items():
            if key.endswith("_id") or key == "id":
                yield (name if key == "id" else key), part
            else:
                inner = "user_id" if key in {"user", "peer", "friend"} else name
                yield from _ids_in(part, inner)


@pytest.fixture(scope="module")
def door():
    site = TestSite("serve", "", "", LOGIN_ATTEMPTS_PER_ACCOUNT=NO_LIMIT)
    with site.server:
        yield Door(site)


def bounded(examples: int) -> Any:
    """So many examples, the same in every run, none of them kept or made smaller."""
    options = settings(
        max_examples=examples,
        database=None,
        deadline=None,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    return lambda test: seed(SEED)(options(test))


def ask(door: Door, case: Any, *checks: Any) -> Any:
    """Send a made-up request; its answer, as documented."""
    answer = case.call(base_url=door.url, headers=door.headers)
    case.validate_response(answer, checks=[*CHECKS, *checks])
    # Schemathesis leaves the token out now and then, too.
    if answer.status_code == 401 and "Authorization" in answer.request.headers:
        door.come_back()
    return answer


def lead(door: Door, case: Any, data: st.DataObject) -> None:
    """Change a made-up request so that it mostly goes to places that are there."""
    for name in case.path_parameters or ():
        known = data.draw(st.sampled_from([*door.places.get(name, [ABSENT]), ""]))
        case.path_parameters[name] = known or case.path_parameters[name]
    if isinstance(case.body, dict):
        for name in case.body.keys() & door.places.keys():
            case.body[name] = data.draw(st.sampled_from([*door.places[name], case.body[name]]))


@pytest.mark.parametrize("label", OPERATIONS)
@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE], ids=str)
def test_every_answer_is_one_that_the_document_tells_of(door, label, mode):
    @bounded(EXAMPLES)
    @given(case=OPERATIONS[label].as_strategy(generation_mode=mode), data=st.data())
    def one(case, data):
        if data.draw(st.booleans()):
            lead(door, case, data)
            ask(door, case)
        elif mode is GenerationMode.NEGATIVE:
            ask(door, case, negative_data_rejection)
        else:
            ask(door, case)

    one()


def test_what_answers_say_leads_to_no_place_where_it_breaks(door):
    """A walk: the ids that an answer holds are used in the requests after it."""

    @bounded(max(2, EXAMPLES // 3))
    @given(data=st.data())
    def walk(data):
        for _ in range(20):
            operation = OPERATIONS[data.draw(st.sampled_from(sorted(OPERATIONS)))]
            case = data.draw(operation.as_strategy())
            lead(door, case, data)
            door.learn(ask(door, case))

    walk()


# --- values of another type than the field's, and fields that are none ----------------------

# What JSON text takes the place of a value.
CONFUSING = (
    '{"$gt": ""}',
    '["x"]',
    "[]",
    "null",
    "true",
    "-1",
    "9223372036854775808",
    "1e400",
    "NaN",
    "-Infinity",
    '""',
    '"\\u0000"',
    '"\\ud800"',
    "[" * 50 + "]" * 50,
)
FORGED = {
    "id": "1",
    "sender_id": "1",
    "created_at": "2020-01-01T00:00:00.000Z",
    "role": "owner",
    "is_staff": True,
    "is_superuser": True,
    "may_send": True,
    "session_id": "1",
    "colour": "red",
}
BODIES = {
    label: found["requestBody"]["content"]["application/json"]["schema"]["$ref"].split("/")[-1]
    for label, found in (
        (f"{method.upper()} {path}", operation)
        for path, methods in strict_document()["paths"].items()
        for method, operation in methods.items()
    )
    if "requestBody" in found
}


def send(door: Door, label: str, body: str) -> requests.Response:
    """A request with this body, to a place that is there; its answer, as documented."""
    method, path = label.split()
    for name, known in door.places.items():
        path = path.replace(f"{{{name}}}", known[0])

    def ask_once() -> requests.Response:
        headers = {**door.headers, "Content-Type": "application/json"}
        return requests.request(method, door.url + path, data=body, headers=headers, timeout=20)

    answer = ask_once()
    if answer.status_code == 401:
        # Something before this has ended the session, or this does.
        door.come_back()
        answer = ask_once()
    content_type = answer.headers.get("Content-Type", "")
    assert_documented(method, path, answer.status_code, content_type, answer.content)
    assert answer.status_code < 500, (label, body)
    return answer


@pytest.mark.parametrize("label", BODIES)
def test_values_of_another_type_break_nothing(door, label):
    schema = strict_document()["components"]["schemas"][BODIES[label]]
    plain = dict.fromkeys(schema.get("required", ()), "1")
    for field in schema["properties"]:
        for value in CONFUSING:
            body = json.dumps({**plain, field: "<here>"}).replace('"<here>"', value)
            status = send(door, label, body).status_code
            if value in {"1e400", "NaN", "-Infinity"} or value.startswith(("[[", "{")):
                assert status == 400, body


@pytest.mark.parametrize("label", BODIES)
def test_forged_fields_are_refused(door, label):
    schema = strict_document()["components"]["schemas"][BODIES[label]]
    plain = dict.fromkeys(schema.get("required", ()), "1")
    for field in FORGED.keys() - schema["properties"].keys():
        answer = send(door, label, json.dumps({**plain, field: FORGED[field]}))
        assert answer.status_code == 400, field
        assert field in answer.json()["fields"]
