"""What keeps a server from starting in production: everything, said at once."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from chatbe.operations.startup import setting_problems

ROOT = Path(__file__).resolve().parents[3]
SECRET = "kJ3v9QpXz7Lm2Rt5Yw8Bn4Hd6Fs1Gc0AeUiOoPqVrTxSyZ3K"[:48] + "ab12"
KEY = "first:Zt8Qw3Er7Ty2Ui6Op1As5Df9Gh4Jk0Lz"
GOOD = {
    "SECRET_KEY": SECRET,
    "SIGNING_KEYS": [KEY],
    "CONTENT_HASH_KEY": "Mn4Bv8Cx2Zl6Kj0Hg5Fd9Sa3Po7Iu1Yt",
    "DEBUG": False,
    "ALLOWED_HOSTS": ["chat.example.org"],
    "CORS_ALLOWED_ORIGINS": ["https://app.example.org"],
    "CSRF_TRUSTED_ORIGINS": ["https://chat.example.org"],
    "REDIS_URL": "redis://:secret@127.0.0.1:6379/0",
    "FAILPOINTS": [],
}
BAD = [
    ("SECRET_KEY", "no secret was set", "SECRET_KEY is not set"),
    ("SECRET_KEY", "short", "SECRET_KEY is too weak"),
    ("SECRET_KEY", "a" * 80, "SECRET_KEY is too weak"),
    ("SECRET_KEY", "django-insecure-" + SECRET, "SECRET_KEY is too weak"),
    ("SIGNING_KEYS", [], "SIGNING_KEYS is not set"),
    ("SIGNING_KEYS", ["first:short"], "SIGNING_KEYS: first"),
    ("SIGNING_KEYS", [KEY, "second:"], "SIGNING_KEYS: second"),
    ("SIGNING_KEYS", ["first:" + SECRET], "must not repeat SECRET_KEY"),
    ("CONTENT_HASH_KEY", "", "CONTENT_HASH_KEY"),
    ("CONTENT_HASH_KEY", "short", "CONTENT_HASH_KEY"),
    ("DEBUG", True, "DEBUG is on"),
    ("ALLOWED_HOSTS", [], "ALLOWED_HOSTS is not set"),
    ("ALLOWED_HOSTS", ["*"], "ALLOWED_HOSTS holds a wildcard"),
    ("CORS_ALLOWED_ORIGINS", ["*"], "CORS_ALLOWED_ORIGINS holds a wildcard"),
    ("CORS_ALLOWED_ORIGINS", ["http://app.example.org"], "is not https"),
    ("CSRF_TRUSTED_ORIGINS", ["https://*.example.org"], "CSRF_TRUSTED_ORIGINS holds a wildcard"),
    ("REDIS_URL", "redis://127.0.0.1:6379/0", "REDIS_URL has no password"),
    ("FAILPOINTS", ["append.locked"], "FAILPOINTS"),
]


@pytest.fixture
def good(settings):
    for name, value in GOOD.items():
        setattr(settings, name, value)
    if "PASSWORD" in settings.DATABASES["default"]:
        settings.DATABASES["default"]["PASSWORD"] = settings.DATABASES["default"]["PASSWORD"] or "x"
    return settings


def test_good_settings_have_no_problem(good):
    assert setting_problems() == []


@pytest.mark.parametrize(("name", "value", "said"), BAD)
def test_each_bad_setting_is_named(good, name, value, said):
    setattr(good, name, value)
    problems = setting_problems()
    assert len(problems) == 1
    assert said in problems[0]


@pytest.mark.parametrize("command", [["serve", "--port", "0"], ["check", "--deploy"]])
def test_a_real_start_with_everything_wrong_says_all_of_it(tmp_path, command):
    environment = {
        **{k: v for k, v in os.environ.items() if k not in ("DATABASE_URL", "REDIS_URL")},
        "PRODUCTION": "true",
        "DEBUG": "true",
        "ALLOWED_HOSTS": "*",
        "CORS_ALLOWED_ORIGINS": "http://app.example.org",
        "FAILPOINTS": "append.locked",
        "DATA_DIR": str(tmp_path),
    }
    run = subprocess.run(
        [sys.executable, "manage.py", *command],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert run.returncode != 0
    for said in (
        "SECRET_KEY is not set",
        "SIGNING_KEYS is not set",
        "CONTENT_HASH_KEY",
        "DEBUG is on",
        "ALLOWED_HOSTS holds a wildcard",
        "is not https",
        "FAILPOINTS",
    ):
        assert said in run.stderr
