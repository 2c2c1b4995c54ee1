"""The admin's second factor, through the pages that staff use."""

import re
from base64 import b32decode
from binascii import unhexlify

import pytest
import time_machine
from django.contrib import admin
from django.core.management import call_command
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from django_otp.oath import totp
from django_otp.plugins.otp_static.models import StaticDevice
from django_otp.plugins.otp_totp.models import TOTPDevice

from accounts.services import erase_account
from accounts.tests.rest import make_user
from chatbe.server.preflight import startup_problems
from chatbe.staff.second_factor import reset_second_factor
from tests.kit.secret_scan import PASSWORD

pytestmark = [pytest.mark.django_db, pytest.mark.embedded_only]

PAGE = "/admin/second-factor/"


@pytest.fixture(autouse=True)
def _required(settings):
    settings.ADMIN_SECOND_FACTOR = "required"


@pytest.fixture
def clock():
    """A clock that stands still: a code lasts 30 seconds, and tests cross no boundary."""
    with time_machine.travel(timezone.now().replace(second=1), tick=False) as moved:
        yield moved


def superuser():
    return make_user(password=PASSWORD, is_staff=True, is_superuser=True)


def log_in(user, wanted="/admin/accounts/user/"):
    client = Client()
    body = {"username": user.username, "password": PASSWORD, "next": wanted}
    answer = client.post(f"/admin/login/?next={wanted}", body, follow=True)
    assert answer.status_code == 200
    return client, answer


def code_of(user):
    return f"{totp(unhexlify(TOTPDevice.objects.get(user=user).key)):06d}"


def set_up(user, clock):
    """Somebody with a second factor, logged in, and their codes on paper."""
    client, _ = log_in(user)
    answer = client.post(PAGE, {"code": code_of(user)})
    codes = re.findall(r"<li>(\w+)</li>", answer.content.decode())
    clock.shift(60)
    return client, codes


def type_code(client, code, wanted="/admin/accounts/user/"):
    return client.post(f"{PAGE}?next={wanted}", {"code": code})


def test_staff_set_it_up_before_they_see_anything(clock):
    user = superuser()
    client, page = log_in(user)
    assert page.redirect_chain[-1][0] == f"{PAGE}?next=%2Fadmin%2Faccounts%2Fuser%2F"
    shown = re.search(r'id="key">([A-Z2-7 ]+)<', page.content.decode())[1]
    assert b32decode(shown.replace(" ", "")) == TOTPDevice.objects.get(user=user).bin_key
    assert "<svg" in page.content.decode()
    for model in admin.site._registry:
        meta = model._meta
        listed = reverse(f"admin:{meta.app_label}_{meta.model_name}_changelist")
        assert client.get(listed).headers["Location"].startswith("/admin/login/")
    answer = type_code(client, code_of(user))
    assert len(re.findall(r"<li>(\w+)</li>", answer.content.decode())) == 10
    assert client.get("/admin/accounts/user/").status_code == 200


def test_whoever_has_set_it_up_is_asked_at_every_login(clock, settings):
    settings.ADMIN_SECOND_FACTOR = "optional"
    user = superuser()
    client, page = log_in(user)
    assert page.redirect_chain[-1][0] == "/admin/accounts/user/"
    client.get(PAGE)
    client.post(PAGE, {"code": code_of(user)})
    clock.shift(60)
    client, page = log_in(user)
    assert 'id="key"' not in page.content.decode()
    assert client.get("/admin/accounts/user/").status_code == 302
    answer = type_code(client, code_of(user))
    assert answer.headers["Location"] == "/admin/accounts/user/"
    assert client.get("/admin/accounts/user/").status_code == 200


def test_a_code_is_good_once(clock):
    user = superuser()
    set_up(user, clock)
    code = code_of(user)
    first, _ = log_in(user)
    second, _ = log_in(user)
    assert type_code(first, code).status_code == 302
    clock.shift(5)
    assert type_code(second, code).status_code == 200
    assert second.get("/admin/accounts/user/").status_code == 302


@pytest.mark.parametrize(
    "typed",
    [
        lambda code: f" {code[:3]} {code[3:]} ",
        lambda code: f"{code[:3]}-{code[3:]}",
        lambda code: f"{code[:3]}\u00a0\u200b{code[3:]}\r\n",
        lambda code: "".join(chr(ord(digit) + 0xFEE0) for digit in code),
        lambda code: "".join(chr(ord(digit) - ord("0") + 0x06F0) for digit in code),
    ],
    ids=["spaces", "a hyphen", "pasted", "full width", "Persian digits"],
)
def test_a_code_is_the_same_however_it_is_typed(clock, typed):
    user = superuser()
    set_up(user, clock)
    client, _ = log_in(user)
    assert type_code(client, typed(code_of(user))).status_code == 302


def test_a_code_on_paper_is_good_once(clock):
    user = superuser()
    _, codes = set_up(user, clock)
    client, _ = log_in(user)
    assert type_code(client, f" {codes[3].upper()} ").status_code == 302
    clock.shift(60)
    client, _ = log_in(user)
    assert type_code(client, codes[3]).status_code == 200
    clock.shift(60)
    assert type_code(client, codes[4]).status_code == 302


def test_after_wrong_codes_the_right_one_has_to_wait(clock):
    user = superuser()
    set_up(user, clock)
    client, _ = log_in(user)
    for _ in range(4):
        assert type_code(client, "000000").status_code == 200
        clock.shift(10)
    type_code(client, "000000")
    assert type_code(client, code_of(user)).status_code == 200
    clock.shift(60)
    assert type_code(client, code_of(user)).status_code == 302


def test_others_cannot_set_it_up_and_nobody_twice(clock):
    user = superuser()
    assert Client().get(PAGE).headers["Location"].startswith("/admin/login/")
    nobody = Client()
    nobody.force_login(make_user())
    assert nobody.get(PAGE).headers["Location"].startswith("/admin/login/")
    set_up(user, clock)
    thief, _ = log_in(user)
    key = TOTPDevice.objects.get(user=user).key
    thief.post(PAGE, {"code": "123456"})
    assert TOTPDevice.objects.get(user=user).key == key
    assert not TOTPDevice.objects.exclude(user=user).exists()


def test_it_leads_nowhere_else(clock):
    user = superuser()
    set_up(user, clock)
    for wanted in ("https://evil.example/", "//evil.example/"):
        client, _ = log_in(user)
        assert type_code(client, code_of(user), wanted).headers["Location"] == "/admin/"
        clock.shift(60)


def test_whoever_is_half_way_in_can_log_out(clock):
    client, _ = log_in(superuser())
    assert client.post(PAGE, {"leave": "1"}).headers["Location"] == "/admin/login/"
    assert client.get(PAGE).headers["Location"].startswith("/admin/login/")


def test_a_reset_ends_what_was_verified_by_it(clock, capsys):
    user = superuser()
    client, _ = set_up(user, clock)
    call_command("reset_second_factor", user.username, "--dry-run")
    assert client.get("/admin/accounts/user/").status_code == 200
    call_command("reset_second_factor", user.username)
    assert capsys.readouterr().out.splitlines()[-1] == f"Forgot 2 devices of user {user.id}."
    assert client.get("/admin/accounts/user/").status_code == 302
    assert reset_second_factor(user.id) == 0


def test_it_goes_with_the_account(clock):
    user = superuser()
    set_up(user, clock)
    erase_account(user_id=user.id)
    assert not TOTPDevice.objects.exists()
    assert not StaticDevice.objects.exists()


def test_secrets_are_on_no_page_of_the_admin():
    assert not {StaticDevice, TOTPDevice} & admin.site._registry.keys()


def test_a_setting_that_says_neither_is_refused(settings):
    settings.ADMIN_SECOND_FACTOR = "no"
    assert any(problem.startswith("ADMIN_SECOND_FACTOR") for problem in startup_problems())
