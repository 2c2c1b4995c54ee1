"""Production refuses to start on what is unsafe, and says all of it at once (S27)."""

import os
import secrets
import subprocess
import sys
from pathlib import Path

import pytest
from django.db import connection

from chatbe.server.preflight import setting_problems, startup_problems

PROJECT = Path(__file__).resolve().parents[3]
STRONG = secrets.token_urlsafe(64)
OTHER = secrets.token_urlsafe(64)
THIRD = secrets.token_urlsafe(64)

GOOD = {
    "PRODUCTION": True,
    "SECRET_KEY": STRONG,
    "SIGNING_KEYS": [f"k1:{OTHER}"],
    "CONTENT_HASH_KEY": THIRD,
    "DEBUG": False,
    "ALLOWED_HOSTS": ["chat.example.org"],
    "CORS_ALLOWED_ORIGINS": ["https://app.example.org"],
    "CSRF_TRUSTED_ORIGINS": ["https://app.example.org"],
    "REDIS_URL": "redis://:hunter2@redis.example.org:6379/0",
    "EMAIL_CONFIRMATION": True,
    "EMAIL_URL": "smtp+tls://chat:hunter2@mail.example.org:587",
    "PUBLIC_URL": "https://app.example.org",
    "PASSWORD_HASH_KIB": 102_400,
    "FAILPOINTS": [],
}
# What is wrong, and a piece of what is said about it.
BAD = [
    ("SECRET_KEY", "no secret was set", "SECRET_KEY is not set"),
    ("SECRET_KEY", "short", "SECRET_KEY is too weak"),
    ("SECRET_KEY", "a" * 64, "SECRET_KEY is too weak"),
    ("SECRET_KEY", "django-insecure-" + STRONG, "SECRET_KEY is too weak"),
    ("SIGNING_KEYS", [], "SIGNING_KEYS is not set"),
    ("SIGNING_KEYS", ["k1:short"], "SIGNING_KEYS: k1 needs"),
    ("SIGNING_KEYS", ["k1:" + "a" * 64], "SIGNING_KEYS: k1 needs"),
    ("SIGNING_KEYS", [OTHER], "SIGNING_KEYS: an entry"),
    ("SIGNING_KEYS", [f":{OTHER}"], "SIGNING_KEYS: an entry needs"),
    ("SIGNING_KEYS", [f"k1:{OTHER}", "old:weak"], "SIGNING_KEYS: old needs"),
    ("SIGNING_KEYS", [f"k1:{STRONG}"], "must not repeat SECRET_KEY"),
    ("CONTENT_HASH_KEY", "", "CONTENT_HASH_KEY is not set"),
    ("CONTENT_HASH_KEY", "short", "CONTENT_HASH_KEY is not set or shorter"),
    ("DEBUG", True, "DEBUG is on"),
    ("ALLOWED_HOSTS", [], "ALLOWED_HOSTS is not set"),
    ("ALLOWED_HOSTS", ["*"], "ALLOWED_HOSTS holds a wildcard"),
    ("ALLOWED_HOSTS", ["chat.example.org", "*.example.org"], "ALLOWED_HOSTS holds a wildcard"),
    ("CORS_ALLOWED_ORIGINS", ["*"], "CORS_ALLOWED_ORIGINS holds a wildcard"),
    ("CORS_ALLOWED_ORIGINS", ["http://app.example.org"], "is not https"),
    ("CSRF_TRUSTED_ORIGINS", ["https://*.example.org"], "CSRF_TRUSTED_ORIGINS holds a wildcard"),
    ("CSRF_TRUSTED_ORIGINS", ["http://app.example.org"], "is not https"),
    ("REDIS_URL", "redis://redis.example.org:6379/0", "REDIS_URL has no password"),
    ("EMAIL_URL", "", "EMAIL_URL is not set"),
    ("PASSWORD_HASH_KIB", 19_455, "PASSWORD_HASH_KIB is below 19456"),
    ("PUBLIC_URL", "http://app.example.org", "PUBLIC_URL is not https"),
    ("METRICS_TOKEN", "short", "METRICS_TOKEN is shorter"),
    ("FAILPOINTS", ["writer.committed:0.5"], "FAILPOINTS is for tests"),
]


@pytest.fixture
def _production(settings, monkeypatch):
    for name, value in GOOD.items():
        setattr(settings, name, value)
    if connection.vendor == "postgresql":
        monkeypatch.setitem(settings.DATABASES["default"], "PASSWORD", "hunter2")


@pytest.mark.usefixtures("_production")
def test_good_settings_are_not_complained_about():
    assert setting_problems() == []


@pytest.mark.usefixtures("_production")
@pytest.mark.parametrize(("name", "value", "said"), BAD)
def test_each_bad_setting_is_named(settings, name, value, said):
    setattr(settings, name, value)
    [problem] = setting_problems()
    assert said in problem
    assert problem.startswith(name)
    # A log of a failed start is no place for secrets.
    assert not any(secret in problem for secret in (STRONG, OTHER, THIRD, "hunter2"))


@pytest.mark.usefixtures("_production")
def test_all_bad_settings_are_named_together(settings):
    worst = {name: (value, said) for name, value, said in reversed(BAD)}
    for name, (value, _) in worst.items():
        setattr(settings, name, value)
    problems = setting_problems()
    assert len(problems) == len(worst)
    for _, said in worst.values():
        assert any(said in problem for problem in problems), said


@pytest.mark.usefixtures("_production")
@pytest.mark.postgres
def test_a_database_without_a_password_is_named(settings, monkeypatch):
    monkeypatch.setitem(settings.DATABASES["default"], "PASSWORD", "")
    assert setting_problems() == ["DATABASE_URL has no password."]


@pytest.mark.usefixtures("_production")
@pytest.mark.django_db(transaction=True)
def test_a_good_installation_starts():
    assert startup_problems() == []


@pytest.mark.django_db(transaction=True)
def test_what_is_unsafe_is_not_asked_of_a_first_try(settings):
    settings.PRODUCTION = False
    settings.SECRET_KEY = "short"
    settings.ALLOWED_HOSTS = ["*"]
    assert startup_problems() == []


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("LOG_TOPICS", 0),
        ("WRITER_THREADS", 0),
        ("PRESENCE_LEASE_SECONDS", 0.5),
        ("CONTACT_POLICY", "requests"),
        ("COMMANDS_PER_USER", "many"),
        ("METRICS_ADDRESSES", ["127.0.0.1", "here"]),
    ],
)
def test_what_cannot_work_is_named_everywhere(settings, name, value):
    settings.PRODUCTION = False
    setattr(settings, name, value)
    [problem] = startup_problems()
    assert name in problem


@pytest.mark.embedded_only
@pytest.mark.django_db(transaction=True)
def test_several_workers_need_postgresql_and_redis(settings):
    settings.REDIS_URL = ""
    problems = startup_problems(workers=2)
    assert [name for name in ("DATABASE_URL", "REDIS_URL") if any(name in p for p in problems)] == [
        "DATABASE_URL",
        "REDIS_URL",
    ]


@pytest.mark.embedded_only
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(("allowed", "problems"), [(False, 1), (True, 0)])
def test_sqlite_that_may_lose_an_acknowledged_message_is_refused(settings, allowed, problems):
    settings.ALLOW_UNSAFE_DATABASE = allowed
    with connection.cursor() as cursor:
        cursor.execute("PRAGMA synchronous=NORMAL")
    assert len(startup_problems()) == problems


@pytest.fixture
def _own_pool():
    """Connections are spoilt here, and the pool would hand them on as they are."""
    connection.close()
    connection.close_pool()
    yield
    connection.close()
    connection.close_pool()


@pytest.mark.postgres
@pytest.mark.usefixtures("_own_pool")
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(("allowed", "problems"), [(False, 1), (True, 0)])
def test_postgresql_that_may_lose_an_acknowledged_message_is_refused(settings, allowed, problems):
    settings.ALLOW_UNSAFE_DATABASE = allowed
    with connection.cursor() as cursor:
        cursor.execute("SET synchronous_commit=off")
    found = startup_problems()
    assert len(found) == problems
    assert all("synchronous_commit" in problem for problem in found)


@pytest.mark.postgres
@pytest.mark.usefixtures("_own_pool")
@pytest.mark.django_db(transaction=True)
def test_another_isolation_and_a_pool_that_is_too_small_are_named_together(settings):
    settings.DATABASE_POOL_SIZE = 3
    with connection.cursor() as cursor:
        cursor.execute("SET default_transaction_isolation='repeatable read'")
    problems = startup_problems()
    assert ["DATABASE_POOL_SIZE" in problems[0], "isolation" in problems[1]] == [True, True]
    assert len(problems) == 2


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(("threads", "problems"), [(3, 1), (4, 0)])
def test_threads_of_which_none_would_be_left_to_readers_are_refused(settings, threads, problems):
    settings.DATABASE_THREADS = threads
    assert sum("DATABASE_THREADS must" in problem for problem in startup_problems()) == problems


def serve(tmp_path, **environment):
    """Try to start the server; how it ended, and what it said."""
    kept = {name: value for name, value in os.environ.items() if name in {"PATH", "HOME", "LANG"}}
    done = subprocess.run(
        [sys.executable, "manage.py", "serve", "--port", "1"],
        cwd=PROJECT,
        env={**kept, "DATA_DIR": str(tmp_path), "PRODUCTION": "true", **environment},
        capture_output=True,
        check=False,
        text=True,
        timeout=60,
    )
    return done.returncode, done.stdout + done.stderr


def test_a_server_with_nothing_set_says_everything_and_does_not_start(tmp_path):
    code, said = serve(tmp_path)
    assert code != 0
    for name in ("SECRET_KEY", "SIGNING_KEYS", "CONTENT_HASH_KEY", "ALLOWED_HOSTS", "migrate"):
        assert name in said
    assert "Traceback" not in said
    assert "Serving" not in said


def test_a_server_with_everything_wrong_says_everything_and_does_not_start(tmp_path):
    code, said = serve(
        tmp_path,
        SECRET_KEY="changeme",
        SIGNING_KEYS="k1:changeme",
        CONTENT_HASH_KEY="changeme",
        DEBUG="true",
        ALLOWED_HOSTS="*",
        CORS_ALLOWED_ORIGINS="http://app.example.org",
        CSRF_TRUSTED_ORIGINS="https://*.example.org",
        REDIS_URL="redis://127.0.0.1:1/0",
        FAILPOINTS="writer.committed:1",
        WRITER_THREADS="0",
    )
    assert code != 0
    for name in (
        "SECRET_KEY is too weak",
        "SIGNING_KEYS: k1",
        "CONTENT_HASH_KEY",
        "DEBUG",
        "ALLOWED_HOSTS",
        "CORS_ALLOWED_ORIGINS",
        "CSRF_TRUSTED_ORIGINS",
        "REDIS_URL",
        "FAILPOINTS",
        "WRITER_THREADS",
        "migrate",
    ):
        assert name in said
    assert "changeme" not in said
    assert "Traceback" not in said
