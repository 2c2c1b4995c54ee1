"""Health checks, and the id every answer carries."""

import pytest
from django.db import connection


@pytest.mark.django_db
def test_health_and_readiness_answer(client):
    assert client.get("/healthz").json() == {"status": "ok"}
    ready = client.get("/readyz")
    assert ready.status_code == 200
    assert ready.json()["checks"]["database"] == "ok"


@pytest.mark.django_db
def test_not_ready_while_the_database_does_not_answer(client):
    def refuse(*args):
        raise ConnectionError

    with connection.execute_wrapper(refuse):
        answer = client.get("/readyz")
        alive = client.get("/healthz")
    assert answer.status_code == 503
    assert answer.json()["checks"]["database"] == "down"
    assert alive.status_code == 200


@pytest.mark.django_db
def test_every_answer_carries_its_request_id(client):
    first, second = client.get("/healthz"), client.get("/api/v1/me")
    assert len(first["X-Request-Id"]) == 16
    assert first["X-Request-Id"] != second["X-Request-Id"]
