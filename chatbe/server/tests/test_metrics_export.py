"""`/metrics`: who may read it, and that it is right, with one worker and with two."""

import asyncio
import json
import os
import re
import signal
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
import requests
from prometheus_client.metrics import Gauge, Histogram

from common import metrics
from tests.kit.scraped import scrape, until, value
from tests.kit.servers import fresh_database, running_redis
from tests.kit.site import TestSite, open_socket

PROJECT = Path(__file__).resolve().parents[3]
STORED = frozenset({("outcome", "stored")})
TOKEN = "a token that only the scraper knows"

# --- who may read it ----------------------------------------------------------------------


def status(client, **headers):
    return client.get("/metrics", **headers).status_code


def test_while_trying_it_out_everybody_may(client):
    assert status(client) == 200


def test_in_production_there_is_nothing_until_somebody_is_named(client, settings):
    settings.PRODUCTION = True
    answer = client.get("/metrics")
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
    assert answer.json() == client.get("/nowhere").json()


def test_a_token_opens_it(client, settings):
    settings.METRICS_TOKEN = TOKEN
    assert status(client, HTTP_AUTHORIZATION=f"Bearer {TOKEN}") == 200
    for wrong in (
        "",
        "Bearer",
        "Bearer x",
        TOKEN,
        f"Basic {TOKEN}",
        f"Bearer {TOKEN}x",
        "Bearer \xe9",
    ):
        assert status(client, HTTP_AUTHORIZATION=wrong) == 401, wrong
    assert status(client) == 401


def test_an_address_opens_it_and_a_forged_one_does_not(client, settings):
    settings.METRICS_ADDRESSES = ["192.0.2.0/24", "2001:db8::1"]
    settings.TRUSTED_PROXIES = ["10.0.0.1"]
    for address in "192.0.2.9", "2001:db8::1":
        assert status(client, REMOTE_ADDR=address) == 200
        assert status(client, REMOTE_ADDR="10.0.0.1", HTTP_X_FORWARDED_FOR=address) == 200
        assert status(client, REMOTE_ADDR="198.51.100.1", HTTP_X_FORWARDED_FOR=address) == 403
    assert status(client, REMOTE_ADDR="198.51.100.1") == 403
    settings.METRICS_TOKEN = TOKEN
    assert status(client, REMOTE_ADDR="192.0.2.9") == 200
    assert status(client, REMOTE_ADDR="198.51.100.1") == 401


# --- what it says -------------------------------------------------------------------------


async def test_what_happens_is_counted(site):
    address = site.address
    alice, _, conversation_id = await site.talking()
    # Those of the test before are gone.
    until(lambda: value(address, "chat_sockets") == 0)
    before = scrape(address)

    def more(name, **labels):
        key = (name, frozenset(labels.items()))
        return scrape(address).get(key, 0) - before.get(key, 0)

    async with alice.live() as socket:
        for number in range(3):
            await socket.send_text(conversation_id, f"{number}", client_id=f"c{number}")
        await socket.send_text(conversation_id, "0", client_id="c0")
        await socket.send_text(conversation_id, "another", client_id="c0")
        await socket.send_raw("{")
        await socket.expect("error", code="bad_frame")
        await alice.rest("GET", f"conversations/{conversation_id}/messages")
        assert more("chat_sockets") == 1
        assert more("chat_greeted_users") == 1
        assert more("chat_messages_total", outcome="stored") == 3
        assert more("chat_messages_total", outcome="known") == 1
        assert more("chat_messages_total", outcome="client_id_reused") == 1
        assert more("chat_ack_seconds_count") == 5
        assert 1 <= more("chat_batch_messages_count") <= 5
        assert more("chat_batch_messages_sum") == 5
        assert more("chat_commands_total", command="message.send", outcome="taken") == 5
        assert more("chat_commands_total", command="invalid", outcome="refused") == 1
        assert more("chat_errors_total", door="socket", code="bad_frame") == 1
        assert more("chat_errors_total", door="socket", code="client_id_reused") == 1
        assert more("chat_hellos_total", kind="first", outcome="welcome") == 1
        route = "/api/v1/conversations/<str:conversation_id>/messages"
        assert more("chat_http_requests_total", route=route, method="GET", status="200") == 1
        assert more("chat_http_request_seconds_count", route=route, method="GET") == 1
    until(lambda: more("chat_sockets") == 0)
    assert more("chat_greeted_users") == 0


async def test_hellos_that_fail_and_routes_that_are_not_there_are_counted(site):
    address = site.address
    labels = {"kind": "again", "outcome": "wrong_credentials"}
    hellos = value(address, "chat_hellos_total", **labels)
    async with open_socket(address) as socket:
        await socket.send("hello", ticket="x", epoch="e")
        assert await socket.closed() == 4502
    assert value(address, "chat_hellos_total", **labels) == hellos + 1
    lost = {"route": "none", "method": "other", "status": "404"}
    requests_ = value(address, "chat_http_requests_total", **lost)
    for path in "a", "b":
        url = f"http://{address}/{path}"
        await asyncio.to_thread(requests.request, "PROPFIND", url, timeout=20)
    assert value(address, "chat_http_requests_total", **lost) == requests_ + 2


def test_batched_values_are_what_single_ones_would_be():
    values = [0.0005, 0.001, 0.003, 0.003, 0.7, 3, 99]
    single = Histogram("single", "x", buckets=(0.001, 0.005, 1, 5), registry=None)
    batched = metrics.BatchHistogram("batched", "x", buckets=(0.001, 0.005, 1, 5), registry=None)
    for one in values:
        single.observe(one)
    batched.observe_all(values[:4])
    batched.observe_all([])
    batched.observe_all(values[4:])

    def samples(histogram):
        [family] = histogram.collect()
        return [
            (sample.name.partition("_")[2], sample.labels, pytest.approx(sample.value))
            for sample in family.samples
            if not sample.name.endswith("_created")
        ]

    assert samples(batched) == samples(single)


# --- several workers ----------------------------------------------------------------------


class TwoWorkers(TestSite):
    workers = 2


@pytest.mark.postgres
async def test_two_workers_answer_as_one():
    with fresh_database() as database_url, running_redis() as redis_url:
        site = TwoWorkers("serve", database_url, redis_url)
        with site.server:
            address = site.address
            until(lambda: len(starts(address)) == 2)
            alice, _, conversation_id = await site.talking()
            async with AsyncExitStack() as stack:
                sockets = [await stack.enter_async_context(alice.live()) for _ in range(8)]
                for number, socket in enumerate(sockets):
                    answer = await socket.send_text(conversation_id, f"{number}")
                    assert answer["type"] == "reply"
                # Both are asked, by chance of the accept, and both know of both.
                for _ in range(6):
                    found = scrape(address)
                    assert found["chat_sockets", frozenset()] == 8
                    assert found["chat_messages_total", STORED] == 8
                    assert found["chat_ack_seconds_count", frozenset()] == 8
                [first, *_] = workers(address)
                os.kill(first, signal.SIGKILL)
                # The supervisor brings another; the dead one's gauges go, its counters stay.
                until(lambda: len(alive := workers(address)) == 2 and first not in alive)
                found = scrape(address)
                assert found["chat_sockets", frozenset()] <= 8
                assert found["chat_messages_total", STORED] == 8
            until(lambda: value(address, "chat_sockets") == 0)


def starts(address):
    return {
        dict(labels)["pid"]
        for name, labels in scrape_or_nothing(address)
        if name == "chat_process_start_time_seconds"
    }


def workers(address):
    return [int(pid) for pid in starts(address)]


def scrape_or_nothing(address):
    """A worker that is being replaced may have taken the connection."""
    try:
        return scrape(address)
    except requests.ConnectionError:
        return {}


# --- the documents ------------------------------------------------------------------------


def declared():
    """Name (as it is scraped), kind and labels of every metric."""
    found = []
    for metric in metrics.declared():
        [family] = metric.describe()
        name = family.name + ("_total" if family.type == "counter" else "")
        labels = ", ".join(f"`{label}`" for label in metric._labelnames)
        found.append((name, family.type, labels))
    return found


def test_the_table_of_metrics_is_that_of_the_code():
    text = (PROJECT / "docs" / "metrics.md").read_text()
    told = re.findall(r"^\| `(chat_\w+)` \| (\w+) \| ([^|]*?) ?\|", text, re.MULTILINE)
    assert told == declared()


def test_names_follow_the_conventions():
    for name, kind, _ in declared():
        assert name.startswith("chat_"), name
        assert (kind == "counter") == name.endswith("_total"), name
        assert "millisecond" not in name


def test_every_gauge_says_how_workers_become_one():
    for metric in metrics.declared():
        if isinstance(metric, Gauge):
            assert metric._multiprocess_mode.startswith("live"), metric


def test_every_query_of_the_dashboard_names_metrics_that_exist():
    dashboard = json.loads((PROJECT / "docs" / "grafana" / "dashboard.json").read_text())
    kinds = {name: kind for name, kind, _ in declared()}
    samples = set(kinds)
    for name, kind in kinds.items():
        if kind == "histogram":
            samples.discard(name)
            samples |= {f"{name}_{part}" for part in ("bucket", "sum", "count")}
    queries = [target["expr"] for panel in dashboard["panels"] for target in panel["targets"]]
    assert len(queries) >= 15
    named = {name for query in queries for name in re.findall(r"\bchat_\w+", query)}
    assert named <= samples
    # Nothing is measured that nobody looks at.
    shown = {re.sub(r"_(bucket|sum|count)$", "", name) for name in named}
    assert shown == set(kinds)
    assert len({panel["id"] for panel in dashboard["panels"]}) == len(dashboard["panels"])
