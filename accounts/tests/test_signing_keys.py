"""Replacing the key that signs access tokens, while people are logged in."""

from io import StringIO
from itertools import pairwise

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from rest_framework.test import APIClient

from accounts import services
from accounts.tests.rest import make_user
from common.secrets_file import read_or_create

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]


def run(name, *arguments):
    output = StringIO()
    call_command(name, *arguments, stdout=output, stderr=StringIO())
    return output.getvalue().strip()


def rotation(settings):
    """The lists of keys that the environment has, one after the other."""
    settings.SIGNING_KEYS_FILE = None
    settings.SIGNING_KEYS = [run("make_signing_key", "--kid", "old")]
    lists = [settings.SIGNING_KEYS]
    for step in ("add", "promote", "drop"):
        printed = run("rotate_signing_keys", step)
        settings.SIGNING_KEYS = printed.removeprefix("SIGNING_KEYS=").split(",")
        lists.append(settings.SIGNING_KEYS)
    return lists


def test_no_process_meets_a_token_it_does_not_know(settings):
    """Two steps that follow each other are about at once, on different processes."""
    user = make_user()
    for lists in pairwise(rotation(settings)):
        for signing, verifying in (lists, reversed(lists)):
            settings.SIGNING_KEYS = signing
            token = services.start_session(user=user).access_token
            settings.SIGNING_KEYS = verifying
            client = APIClient(HTTP_AUTHORIZATION=f"Bearer {token}")
            assert client.get("/api/v1/me").status_code == 200


def test_after_a_rotation_nothing_is_signed_or_known_by_the_old_key(settings):
    user = make_user()
    first, *_, last = rotation(settings)
    assert [len(first), len(last)] == [1, 1]
    settings.SIGNING_KEYS = first
    tokens = services.start_session(user=user)
    settings.SIGNING_KEYS = last
    client = APIClient(HTTP_AUTHORIZATION=f"Bearer {tokens.access_token}")
    assert client.get("/api/v1/me").json()["code"] == "wrong_credentials"
    # And still nobody is logged out.
    answer = APIClient().post("/api/v1/auth/refresh", {"refresh_token": tokens.refresh_token})
    assert answer.status_code == 200


@pytest.fixture
def file(settings, tmp_path):
    """The keys of an installation that was given none."""
    read_or_create(tmp_path, "signing_key")
    settings.SIGNING_KEYS_FILE = tmp_path / "signing_key"
    settings.SIGNING_KEYS = ["local:" + settings.SIGNING_KEYS_FILE.read_text()]
    return settings.SIGNING_KEYS_FILE


def restarted(settings):
    """The list as a server that starts now reads it."""
    lines = settings.SIGNING_KEYS_FILE.read_text().split()
    settings.SIGNING_KEYS = [line if ":" in line else "local:" + line for line in lines]
    return [line.partition(":")[0] for line in settings.SIGNING_KEYS]


def test_keys_beside_the_data_are_rotated_there(settings, file):
    run("rotate_signing_keys", "add")
    old, new = restarted(settings)
    assert old == "local"
    assert file.stat().st_mode & 0o777 == 0o600
    run("rotate_signing_keys", "promote")
    assert restarted(settings) == [new, "local"]
    with pytest.raises(CommandError, match="seconds more"):
        run("rotate_signing_keys", "drop")
    run("rotate_signing_keys", "drop", "--now")
    assert restarted(settings) == [new]
    assert [path.name for path in file.parent.iterdir()] == ["signing_key"]


def test_steps_out_of_order_are_refused(settings, file):
    for step in ("promote", "drop"):
        with pytest.raises(CommandError, match="only one key"):
            run("rotate_signing_keys", step)
    run("rotate_signing_keys", "add")
    restarted(settings)
    with pytest.raises(CommandError, match="finish that rotation"):
        run("rotate_signing_keys", "add")


def test_a_new_key_is_no_other_and_its_name_is_one(settings):
    assert run("make_signing_key") != run("make_signing_key")
    assert run("make_signing_key", "--kid", "2027a").startswith("2027a:")
    with pytest.raises(CommandError, match="letters and digits"):
        run("make_signing_key", "--kid", "a:b")
