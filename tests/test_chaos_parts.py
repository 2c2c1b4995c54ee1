"""The parts of chaos by themselves: schedule, abusive frames, report, client, delays."""

from __future__ import annotations

import asyncio
import json
import random
from collections import Counter
from typing import Any

import pytest
from websockets.asyncio.server import serve

from chatbe.gateway.docs.asyncapi import asyncapi_document
from chatbe.server.websocket_protocol import frame_bounds
from common.errors import Unavailable
from tests.chaos import abusive_clients
from tests.chaos.__main__ import main
from tests.chaos.abusive_clients import SORTS
from tests.chaos.chat import contacts, talking_pairs
from tests.chaos.delays import delivery_delays
from tests.chaos.groups import group_indexes
from tests.chaos.outcome import BEGIN, END, MIX, Outcome, rule_of_three, write_report
from tests.chaos.schedule import KINDS, PLANS, SERVER_POINTS, draw, share
from tests.chaos.violations import KINDS as VIOLATION_KINDS
from tests.chaos.violations import Violation
from tests.kit.account import Account
from tests.kit.client import Client
from tests.kit.event_log import Journal
from tests.kit.servers import PROJECT

pytestmark = pytest.mark.slow


LONG = PLANS["long"]


def long_run(seed=1):
    return [draw(LONG, seed, number) for number in range(LONG.rounds)]


# --- the schedule


def test_the_same_seed_gives_the_same_faults_and_another_gives_others():
    assert long_run(1) == long_run(1)
    assert long_run(1) != long_run(2)
    assert draw(LONG, 1, 0) != draw(LONG, 1, 1)


@pytest.mark.parametrize("plan", PLANS.values(), ids=PLANS)
def test_all_rounds_together_have_exactly_the_planned_faults(plan):
    drawn = [draw(plan, 5, number) for number in range(plan.rounds)]
    counts = Counter(fault.kind for one in drawn for fault in one.faults)
    assert counts == plan.faults
    assert set(counts) == set(KINDS)


def test_the_long_run_has_what_its_report_claims():
    counts = Counter(fault.kind for one in long_run() for fault in one.faults)
    assert counts["server killed"] == 300
    for point in SERVER_POINTS:
        assert counts[f"failpoint {point}"] == 100
    for service in ("redis", "postgres"):
        assert sum(n for kind, n in counts.items() if kind.startswith(service)) >= 100
    assert LONG.acks >= 200_000
    assert LONG.frames >= 100_000


def test_rounds_are_about_equal_and_only_the_last_process_is_never_to_die():
    for one in long_run():
        *mortal, lasting = one.servers
        assert len(mortal) == LONG.servers
        assert {fault.kind for fault in lasting} <= {"server frozen"}
        deaths = [sum(fault.kind != "server frozen" for fault in queue) for queue in mortal]
        assert max(deaths) - min(deaths) <= 3
        assert {fault.kind for fault in one.redis} <= {k for k in KINDS if k.startswith("redis")}


def test_what_is_dealt_over_rounds_adds_up():
    assert [share(10, 4, number) for number in range(4)] == [2, 3, 2, 3]
    assert sum(share(100_001, 20, number) for number in range(20)) == 100_001


def test_a_failpoint_is_armed_for_the_process_that_is_to_die_there_and_for_no_other():
    faults = [fault for one in long_run() for fault in one.faults]
    armed = {fault.failpoints.partition(":")[0] for fault in faults}
    assert armed == {"", *SERVER_POINTS}
    for fault in faults:
        assert bool(fault.failpoints) is fault.kind.startswith("failpoint")
        assert fault.after >= 0
        assert fault.pause >= 0


# --- abusive frames


def frames(data):
    """(first byte, payload) of every frame in it; the payload unmasked."""
    at, found = 0, []
    while at < len(data):
        start, end = frame_bounds(data, at)
        assert end <= len(data)
        mask = data[start - 4 : start]
        found.append((data[at], bytes(b ^ mask[i % 4] for i, b in enumerate(data[start:end]))))
        at = end
    return found


def made(name, count=60):
    dice = random.Random(name)
    return [SORTS[name].make(dice, "77") for _ in range(count)]


WHOLE = [name for name, sort in SORTS.items() if not sort.closes and not name.startswith("too")]


@pytest.mark.parametrize("name", [name for name in WHOLE if name != "deep JSON"])
def test_each_attack_is_whole_frames_of_one_message(name):
    for data in made(name):
        kinds = [first for first, _ in frames(data) if first & 0x0F < 8]
        assert kinds[-1] & 0x80
        assert not any(kind & 0x80 for kind in kinds[:-1])


@pytest.mark.parametrize("name", ["wrong types", "unknown commands", "foreign conversations"])
def test_bad_commands_are_good_json(name):
    for data in made(name):
        [(first, payload)] = frames(data)
        assert first == 0x81
        assert "type" in json.loads(payload)


def test_bad_json_and_broken_utf8_are_what_they_are_called():
    for data in made("bad JSON"):
        [(_, payload)] = frames(data)
        try:
            found = json.loads(payload, parse_constant=lambda _: None)
        except ValueError:
            continue
        assert not isinstance(found, dict) or b"NaN" in payload
    for data in made("broken UTF-8"):
        [(_, payload)] = frames(data)
        with pytest.raises(UnicodeDecodeError):
            payload.decode()


def test_sizes_are_just_above_what_is_allowed_or_far_above():
    for data in made("too large before welcome", 5):
        start, end = frame_bounds(data, 0)
        assert (
            abusive_clients.BEFORE_WELCOME_BYTES
            < end - start
            <= 2 * abusive_clients.BEFORE_WELCOME_BYTES
        )
    for data in made("too large", 5):
        start, end = frame_bounds(data, 0)
        assert abusive_clients.FRAME_BYTES < end - start < abusive_clients.CUT_BYTES
    for data in made("far too large", 5):
        start, end = frame_bounds(data, 0)
        assert end - start > abusive_clients.CUT_BYTES
        assert len(data) < 5_000


def test_every_sort_says_how_it_must_end():
    for name, sort in SORTS.items():
        assert sort.codes or sort.closes, name
        assert (sort.share < 1) is bool(sort.closes)


def test_the_sizes_are_those_of_the_settings(settings):
    assert abusive_clients.BEFORE_WELCOME_BYTES == settings.FRAME_BYTES_BEFORE_WELCOME
    assert abusive_clients.FRAME_BYTES == settings.FRAME_BYTES


# --- the report


def outcome(**values):
    return Outcome("python -m tests.chaos --plan long --seed 7", 7, LONG, **values)


def test_the_report_goes_between_the_marks_and_replaces_what_was_there(tmp_path):
    page = tmp_path / "page.md"
    page.write_text(f"above\n\n{BEGIN}\nyesterday\n{END}\n\nbelow\n")
    faults = Counter({"server killed": 300})
    write_report(page, outcome(faults=faults, acks=240_001, machine={"Redis": "7", "cores": 2}))
    once = page.read_text()
    assert once.startswith(f"above\n\n{BEGIN}\n\n| the run |")
    assert once.endswith(f"{END}\n\nbelow\n")
    assert "yesterday" not in once
    assert "| server killed | 300 | below 1 % |" in once
    assert "240,001; a loss per ack: below 0.0013 %" in once
    assert "| cores | 2 |" in once
    assert all(f"`{kind}`" in once for kind in VIOLATION_KINDS)
    write_report(page, outcome(faults=faults, acks=240_001, machine={"Redis": "7", "cores": 2}))
    assert page.read_text() == once


def test_the_page_says_what_people_did_beside_sending():
    page = outcome(mix=Counter({"questions": 1_234, "beliefs": 7})).page()
    assert "| questions to the bot | 1,234 |" in page
    assert "| beliefs about a contact's presence compared with the truth | 7 |" in page
    for said in MIX.values():
        assert f"| {said} | " in page


def test_a_page_without_marks_is_left_as_it_is(tmp_path):
    page = tmp_path / "page.md"
    page.write_text(f"nothing here {BEGIN}")
    with pytest.raises(ValueError, match="needs the lines"):
        write_report(page, outcome())
    assert page.read_text() == f"nothing here {BEGIN}"


def test_where_something_went_wrong_no_bound_is_claimed():
    violations = [Violation("acked_lost", "9", "gone")]
    page = outcome(faults=Counter({"server killed": 300}), violations=violations).page()
    assert "below 1 %" not in page
    assert "| `acked_lost` | acked, but not stored | 1 |" in page
    assert "acked_lost: 1\n    9 gone" in outcome(violations=violations).summary()


def test_the_rule_of_three():
    assert [rule_of_three(trials) for trials in (0, 20, 70, 100, 300, 240_000)] == [
        "says nothing",
        "below 15 %",
        "below 4.3 %",
        "below 3 %",
        "below 1 %",
        "below 0.0013 %",
    ]


def test_the_page_in_the_documents_has_the_marks():
    text = (PROJECT / "docs" / "reliability.md").read_text()
    assert text.index(BEGIN) < text.index(END)


def test_an_unknown_plan_is_refused(capsys):
    with pytest.raises(SystemExit):
        main(["--plan", "endless"])
    assert "short" in capsys.readouterr().err


# --- the client that the checker relies on


MESSAGES = asyncapi_document()["components"]["messages"]


class Ticketed(Account):
    """Somebody who needs no REST to get in."""

    async def ticket(self, address):
        return "ticket"


async def test_a_sync_that_was_to_be_sent_again_is_sent_again():
    async def answer(socket):
        refusals = 2
        async for data in socket:
            frame = json.loads(data)
            if frame["type"] == "hello":
                said = MESSAGES["welcome"]["examples"][0]["payload"]
            elif refusals:
                refusals -= 1
                said = {"type": "error", "ref": frame["ref"], **Unavailable().body()}
                said |= {"retry_after": 0.01}
            else:
                said = {"type": "live"}
            await socket.send(json.dumps(said))

    account = Ticketed("anna", "")
    account.user_id = "1"
    async with serve(answer, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        client = Client(account, [f"127.0.0.1:{port}"])
        async with asyncio.timeout(10):
            await client.start()
        await client.stop()
    assert client.journal.counts["error unavailable"] == 2
    assert client.journal.counts["connections"] == 1


def test_a_client_believes_of_its_contacts_what_it_was_told_last():
    client = Client(Account("anna", ""), ["nowhere"])

    def believes_after(name, **fields):
        client._handle({"type": name, **fields})
        return client.journal.online

    # Before the snapshot nothing is known, and news alone are no whole.
    assert believes_after("presence.changed", user_id="1", online=True) is None
    assert believes_after("presence.snapshot", online=["2", "3"]) == {"2", "3"}
    assert believes_after("presence.changed", user_id="1", online=True) == {"1", "2", "3"}
    assert believes_after("presence.changed", user_id="2", online=False) == {"1", "3"}
    assert believes_after("presence.snapshot", online=["2"]) == {"2"}


def test_a_client_writes_down_what_it_is_shown_of_a_group_it_is_not_in():
    client = Client(Account("anna", ""), ["nowhere"])
    row = {"conversation_id": "8", "seq": 3, "changed_seq": 5}
    bounds = {"after": 7, "to": 8, "head": 9}
    told: list[dict[str, Any]] = [
        {"type": "message.changed", "message": row},
        {"type": "skip", "conversation_id": "8", "seq": 6},
        {"type": "pong", "heads": {"8": 7}},
        {"type": "range", "conversation_id": "8", **bounds, "changes": [row]},
        {"type": "conversation.behind", "conversation_id": "8", "head": 10},
    ]
    for frame in told:
        client._handle(frame)
    assert client.copies == {}
    assert client.journal.shown == {"8": {(3, 5), (6, 6), (7, 7), (9, 9), (10, 10)}}


def test_everybody_is_a_contact_of_whom_they_are_in_a_group_or_talk_with():
    known = contacts(pairs=5)
    assert len(known) == len(set(known))
    assert set(talking_pairs(5)) - {(9, 0)} <= set(known)
    for owner, *others in group_indexes(5):
        assert {(owner, other) for other in others} <= set(known)
    assert sorted(index for group in group_indexes(5) for index in group) == list(range(10))


# --- delays


def test_only_a_device_that_was_live_since_before_the_ack_counts_for_a_delay():
    sender, early, late, broken = (Journal(name) for name in ("sender", "early", "late", "broken"))
    sender.acked_at["9", 1] = 100.0
    sender.applied_at["9", 1] = (99.5, 10.0)
    early.applied_at["9", 1] = (103.0, 100.0)
    late.applied_at["9", 1] = (140.0, 139.0)
    broken.applied_at["9", 1] = (150.0, None)
    early.applied_at["9", 2] = (160.0, 100.0)
    assert delivery_delays([sender, early, late, broken]) == pytest.approx([0.0, 3.0])
