"""The admin's address, and what its pages alone may do in a browser."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from django.urls import reverse

from chatbe.server.preflight import startup_problems

PROJECT = Path(__file__).resolve().parents[3]
EVALUATES, STYLES = "script-src 'self' 'unsafe-eval'", "style-src 'self' 'unsafe-inline'"


def policy(client, path):
    return client.get(path).headers["Content-Security-Policy"].split("; ")


def test_pages_of_the_admin_have_its_policy_and_others_keep_theirs(client, admin_client):
    strict = policy(client, "/")
    assert "script-src 'self'" in strict
    assert "style-src 'self'" in strict
    for visitor, names in (
        (client, ("login", "index")),
        (admin_client, ("index", "accounts_user_changelist", "password_change", "logout")),
    ):
        for name in names:
            own = policy(visitor, reverse(f"admin:{name}"))
            assert set(own) - set(strict) == {EVALUATES, STYLES}, name
            assert len(own) == len(strict)
    assert policy(admin_client, "/api/docs/") == policy(client, "/api/docs/")
    assert EVALUATES not in policy(admin_client, "/no/such/page")


@pytest.mark.parametrize("path", ["/back/door/", "back/door", "back/door/"])
def test_the_admin_is_where_the_operator_puts_it(tmp_path, path):
    program = "import django; django.setup(); from django.urls import reverse; print(reverse('admin:login'))"
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=PROJECT,
        env={
            **os.environ,
            "DJANGO_SETTINGS_MODULE": "chatbe.settings",
            "DATA_DIR": str(tmp_path),
            "ADMIN_PATH": path,
        },
        capture_output=True,
        check=True,
        text=True,
        timeout=60,
    )
    assert done.stdout.strip() == "/back/door/login/"


@pytest.mark.django_db(transaction=True)
def test_an_admin_in_the_place_of_the_page_is_refused(settings):
    settings.ADMIN_PATH = "/"
    [problem] = startup_problems()
    assert problem.startswith("ADMIN_PATH")
