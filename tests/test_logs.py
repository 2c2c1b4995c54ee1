"""What a server writes down: what happened, and nothing that people trusted it with (S29)."""

import contextlib
import json
import os
import re
import time
import uuid
from binascii import unhexlify

import pytest
import requests
from django_otp.oath import totp
from websockets.exceptions import InvalidStatus

from accounts.choices import CodeKind
from accounts.mail import queue
from accounts.services import status_follow_up
from accounts.services.codes import issue_code
from accounts.services.emails import confirm_email
from accounts.services.passwords import request_password_reset
from accounts.services.staff import set_user_staff
from accounts.services.users import set_user_active
from accounts.tests.rest import make_user
from chatbe.staff.second_factor import begin_set_up, check_code, finish_set_up, reset_second_factor
from tests.kit.account import RefusedError
from tests.kit.documents import CODE, PROJECT, gaps, rows_under
from tests.kit.secret_scan import PASSWORD
from tests.kit.servers import fresh_database, running_redis
from tests.kit.site import TestSite, open_socket
from tests.kit.staff import AdminPages, Staff
from tests.kit.v1_client import LegacyV1Client

CANARY = "canary" + uuid.uuid4().hex[:8]
USERNAME = "wren." + uuid.uuid4().hex[:8]
EMAIL = f"{CANARY}.mail@example.org"
RIGHT, WRONG = f"{CANARY} right password", f"{CANARY} wrong password"
TEXT = f"{CANARY} text of a message"
EVENTS = {
    "user_registered",
    "logged_in",
    "login_failed",
    "login_rate_limited",
    "mail_failed",
    "password_changed",
    "password_refused",
    "sessions_ended",
    "user_deleted",
    "user_active_changed",
    "user_disconnected",
    "email_changed",
    "group_closed",
    "moderated",
    "request",
    "request_failed",
}
# Told of by `test_what_happens_to_an_account_without_a_visit_is_written_down_too`.
APART = {
    "user_staff_changed",
    "email_confirmed",
    "mail_held_back",
    "status_follow_up_failed",
    *("second_factor_refused", "second_factor_set_up", "second_factor_reset"),
}


@pytest.fixture(scope="module")
def visits():
    """A server that logs all it can, on a database of its own that may be spoilt."""
    with contextlib.ExitStack() as stack:
        urls = ["", ""]
        if os.environ.get("DATABASE_URL"):
            urls = [stack.enter_context(fresh_database()), stack.enter_context(running_redis())]
        options = {
            "LOG_LEVEL": "DEBUG",
            "LOG_FORMAT": "json",
            "LOGIN_ATTEMPTS_PER_ACCOUNT": "3/15minutes",
            "LOG_UNKNOWN_OUTCOME_SECONDS": "1",
            # Nobody is there: what could not be sent is not written down instead.
            "EMAIL_URL": "smtp://127.0.0.1:1",
        }
        site = TestSite("serve", *urls, **options)
        stack.callback(site.server.close)
        yield Visits(site)


@pytest.fixture
async def visited(visits):
    """The same after good, bad and unlucky visits, which happen once."""
    if not visits.over:
        await visits.happen()
    return visits


class Visits:
    """What people did, and the secrets they had."""

    def __init__(self, site):
        self.site = site
        self.secrets = [CANARY, PASSWORD]
        # What operators' commands wrote to their logs.
        self.commands = ""
        self.over = False

    async def happen(self):
        tokens = self.call_rest()
        await self.open_sockets()
        await self.come_with_old_clients()
        await self.change_accounts()
        await self.govern_a_group()
        await self.moderate()
        self.operate()
        self.end_badly(tokens)
        await self.break_the_database()
        self.over = True

    @property
    def log(self):
        return self.site.server.log + self.commands

    @property
    def lines(self):
        lines = [line for line in self.log.splitlines() if line.startswith("{")]
        return [json.loads(line) for line in lines]

    def call(self, path, body=None, *, method="POST", **options):
        address = f"{self.site.server.url}/api/v1/{path}"
        return requests.request(method, address, json=body, timeout=30, **options)

    def keep(self, tokens):
        self.secrets += [tokens["access_token"], tokens["refresh_token"]]
        return tokens

    def call_rest(self):
        person = {"username": USERNAME, "email": EMAIL, "password": RIGHT}
        assert self.call("auth/register", person).status_code == 201
        assert self.call("auth/register", person).status_code == 409
        assert self.call("auth/register", {**person, "colour": CANARY}).status_code == 400
        tokens = self.keep(self.call("auth/login", {"login": EMAIL, "password": RIGHT}).json())
        unknown = {"login": f"nobody@{CANARY}.example", "password": WRONG}
        assert self.call("auth/login", unknown).status_code == 401
        statuses = [
            self.call("auth/login", {"login": EMAIL, "password": WRONG}).status_code
            for _ in range(6)
        ]
        assert (statuses[0], statuses[-1]) == (401, 429)
        renewed = self.call("auth/refresh", {"refresh_token": tokens["refresh_token"]})
        tokens = self.keep(renewed.json())
        assert self.call("auth/refresh", {"refresh_token": CANARY}).status_code == 401
        assert self.call("auth/password/reset", {"email": EMAIL}).status_code == 204
        for path in ("auth/email/confirm", "auth/password/reset/confirm"):
            assert self.call(path, {"code": CANARY, "password": RIGHT}).status_code == 400
        bearer = {"Authorization": f"Bearer {tokens['access_token']}"}
        for path in (f"me?token={CANARY}", f"conversations?{CANARY}={CANARY}", "me"):
            assert self.call(path, method="GET", headers=bearer).status_code in {200, 400}
        for headers in ({"Authorization": f"Bearer {CANARY}"}, {"Cookie": f"sessionid={CANARY}"}):
            headers |= {"X-Request-Id": CANARY, "User-Agent": CANARY}
            assert self.call("me", method="GET", headers=headers).status_code == 401
        broken = f'{{"text": "{CANARY}'
        headers = bearer | {"Content-Type": "application/json"}
        answer = self.call("conversations/1/messages", headers=headers, data=broken)
        assert answer.status_code == 400
        return tokens

    async def open_sockets(self):
        alice, _, conversation_id = await self.site.talking()
        ticket = await alice.ticket(self.site.address)
        self.secrets += [ticket, alice.token]
        async with open_socket(self.site.address) as socket:
            await socket.send("hello", ticket=ticket)
            await socket.expect("welcome")
            await socket.send("sync", cursors={}, done=True)
            await socket.expect("live")
            assert (await socket.send_text(conversation_id, TEXT))["type"] == "reply"
            assert (await socket.send_text(conversation_id, TEXT + "\x00"))["code"] == "invalid"
            for frame in (
                f'{{"type":"{CANARY}"}}',
                f'{{"type":"message.send","text":"{CANARY}","{CANARY}":1}}',
                f'{{"{CANARY}',
                CANARY.encode(),
                f'"{CANARY * 10_000}"',
            ):
                await socket.send_raw(frame)
                await socket.expect("error")
        body = {"client_id": CANARY, "text": TEXT}
        await alice.rest("POST", f"conversations/{conversation_id}/messages", body)
        for credential in ({"ticket": ticket}, {"ticket": CANARY}, {"token": CANARY}):
            async with open_socket(self.site.address) as socket:
                await socket.send("hello", **credential)
                assert await socket.closed() == 4502

    async def come_with_old_clients(self):
        """The one-time code stands in an address there: one that is good, spent, or made up."""
        alice, bob = self.site.friends()
        mail = f"{alice.username}@example.org"
        client = LegacyV1Client(self.site.address, alice.username, mail, PASSWORD)
        tokens = self.keep(await client.log_in())
        self.secrets.append(tokens["otp"])
        async with client.online() as socket:
            await socket.say(bob.username, TEXT)
            await socket.say(CANARY, TEXT)
            await socket.explanation("private_chat")
        for query in ({}, {"otp": CANARY}, {"username": CANARY}):
            with pytest.raises(InvalidStatus):
                async with client.online(**query):
                    pass
        for path in (f"ws?otp={CANARY}", f"messages/friend?friendUsername={CANARY}"):
            address = f"{self.site.server.url}/v1/{path}"
            answer = requests.get(address, headers={"Authorization": CANARY}, timeout=30)  # noqa: ASYNC210 - nobody else is here
            assert answer.status_code >= 400

    async def change_accounts(self):
        """Somebody changes their password, and somebody leaves."""
        alice, bob = self.site.strangers()
        wrong = {"password": WRONG, "new_password": RIGHT}
        for body in (wrong, {"password": PASSWORD, "new_password": RIGHT}):
            with contextlib.suppress(RefusedError):
                await alice.rest("POST", "auth/password/change", body)
        await alice.rest("PATCH", "me", {"display_name": CANARY, "about": TEXT})
        await alice.rest("PATCH", "me", {"email": f"new.{EMAIL}", "password": RIGHT})
        await bob.rest("DELETE", "me", {"password": PASSWORD})

    async def govern_a_group(self):
        """A group with a name, links to it, a bot that is asked, and a report."""
        alice, bob = self.site.friends()
        carol, _ = self.site.strangers()
        [bot] = (await alice.rest("GET", "bots"))["results"]
        body = {"name": CANARY, "description": TEXT, "member_ids": [bob.user_id, bot["id"]]}
        place = str((await alice.rest("POST", "groups", body))["conversation_id"])
        here, group = f"conversations/{place}", f"groups/{place}"
        link = await alice.rest("POST", f"{group}/invitations", {"needs_approval": True})
        self.secrets.append(link["token"])
        for token in (link["token"], CANARY):
            for action in ("preview", "join"):
                with contextlib.suppress(RefusedError):
                    await carol.rest("POST", f"groups/{action}", {"token": token})
        await alice.rest("POST", f"{group}/join-requests/{carol.user_id}/approve")
        await alice.rest("PATCH", group, {"name": f"{CANARY} again"})
        said = {"client_id": CANARY, "text": f"/ask search {CANARY}"}
        sent = await bob.rest("POST", f"{here}/messages", said)
        await bob.rest("PATCH", f"{here}/messages/{sent['seq']}", {"text": TEXT})
        report = {"conversation_id": place, "seq": sent["seq"], "reason": "spam", "comment": TEXT}
        await carol.rest("POST", "reports", report)
        await alice.rest("PATCH", f"contacts/{bob.user_id}", {"alias": CANARY})
        await alice.rest("POST", f"{group}/close")

    async def moderate(self):
        """A moderator mistypes, searches, reads what is private, and acts, each with a reason."""
        alice, bob, place = await self.site.talking()
        body = {"client_id": CANARY, "text": TEXT}
        await alice.rest("POST", f"conversations/{place}/messages", body)
        [(message_id,)] = self.site.rows(
            "SELECT id FROM conversations_message WHERE conversation_id = ?", int(place)
        )
        root = Staff(self.site, self.site.strangers()[0])
        AdminPages(self.site.server.url).fill_in("/", username=EMAIL, password=WRONG)
        for query, status in ((f"?q={CANARY}", 200), (f"?{CANARY}={CANARY}", 400)):
            for model in ("accounts/user", "conversations/message"):
                root.see(f"/{model}/{query}", status)
        root.do("read", "conversations/message", message_id, reason=TEXT)
        assert TEXT in root.see(f"/conversations/message/{message_id}/change/")
        root.do("delete", "conversations/message", message_id, reason=TEXT)
        root.do("ban", "accounts/user", bob.user_id, reason=TEXT)

    def operate(self):
        """Commands, good ones and one with a mistake; what they print on the way is a log, too."""
        person, other = self.site.strangers()
        folder = self.site.server.directory
        for command in (
            ["broadcast_notice", TEXT, "--username", person.username],
            ["disconnect_user", person.username],
            ["disconnect_user", CANARY],
            ["export_user", person.username, "--output", str(folder / "export.json")],
            ["erase_user", other.username],
            ["stats"],
            ["check_log"],
            ["purge_expired"],
        ):
            told = self.site.installation.log_of("manage.py", *command).splitlines(keepends=True)
            # The rest is for the terminal of whoever typed it.
            self.commands += "".join(line for line in told if line.startswith("{"))

    def end_badly(self, tokens):
        """Somebody comes with a refresh token that was used long ago."""
        session_id = tokens["session_id"]
        self.site.change(
            f"UPDATE accounts_session SET rotated_at = '2026-01-01' WHERE id = {session_id}"  # noqa: S608
        )
        stolen = {"refresh_token": self.secrets[3]}
        assert self.call("auth/refresh", stolen).status_code == 401

    async def break_the_database(self):
        """What failed is written down with its place, and not with what it was about."""
        alice, _, conversation_id = await self.site.talking()
        self.site.change("ALTER TABLE conversations_message RENAME TO spoilt")
        async with alice.greeted() as socket:
            answer = await socket.send_text(conversation_id, TEXT)
            assert answer["code"] in {"internal", "unavailable"}
        headers = {"Authorization": f"Bearer {alice.token}"}
        body = {"client_id": CANARY, "text": TEXT}
        path = f"conversations/{conversation_id}/messages"
        assert self.call(path, body, headers=headers).status_code >= 500
        self.site.change("ALTER TABLE accounts_session RENAME TO spoilt_sessions")
        body = {"login": alice.username, "password": PASSWORD}
        assert self.call("auth/login", body).status_code >= 500


async def test_no_secret_is_written_down(visited):
    log = visited.log
    found = [secret for secret in visited.secrets if secret in log]
    # Not said by assert itself, which would print the log.
    assert len(visited.secrets) >= 8
    assert found == []


async def test_security_events_are_written_down_with_who_they_concern(visited):
    lines = visited.lines
    events = {line["event"] for line in lines}
    assert events >= EVENTS
    assert events & {"append_retried", "append_failed"}
    [registered] = [line for line in lines if line["event"] == "user_registered"]
    failed = [line for line in lines if line["event"] == "login_failed"]
    assert {line["user_id"] for line in failed} == {None, registered["user_id"]}
    ended = [line for line in lines if line["event"] == "sessions_ended"]
    assert "refresh_reuse" in {line["reason"] for line in ended}
    assert all(line["timestamp"].endswith("Z") and line["level"] for line in lines)


async def test_a_request_is_written_down_under_the_number_it_was_answered_with(visited):
    answer = visited.call("me?token=secret", method="GET")
    [line] = [
        line
        for line in visited.lines
        if line["event"] == "request" and line["request_id"] == answer.headers["X-Request-Id"]
    ]
    assert (line["method"], line["path"], line["status"]) == ("GET", "/api/v1/me", 401)
    assert "127.0.0.1" not in json.dumps(line)
    assert len(line["address"]) == 12


async def test_nobody_writes_a_line_of_their_own(visited):
    visited.call(f"x%0d%0a{{%22event%22:%22forged%22}}%0a{time.time_ns()}", method="GET")
    assert "forged" in visited.site.server.log
    assert "forged" not in {line["event"] for line in visited.lines}


def documented_events(who=r""):
    """The events that docs/operations.md lists, or those with such fields."""
    rows = rows_under((PROJECT / "docs/operations.md").read_text(), "Logs")
    return {e for row in rows if re.search(who, row[1]) for e in re.findall(r"`(\w+)`", row[0])}


def test_every_documented_event_about_somebody_is_looked_for_here():
    about_people = documented_events("`user_id`|`actor_id`|`session_ids`")
    assert len(about_people) > 15
    assert about_people - EVENTS - APART == set()
    assert documented_events() >= EVENTS | APART


def test_the_page_lists_every_event_of_the_log_and_no_other():
    written = {
        event for text in CODE.values() for event in re.findall(r'\blog\.\w+\(\s*"(\w+)"', text)
    }
    assert gaps(documented_events(), written) == []


@pytest.mark.django_db(transaction=True)
def test_what_happens_to_an_account_without_a_visit_is_written_down_too(
    caplog, settings, monkeypatch
):
    settings.MAILS_PER_RECIPIENT = "1/hour"
    user = make_user("wren", pending_email="wren.new@example.org")
    key = unhexlify(begin_set_up(user).key)
    with caplog.at_level("INFO"):
        set_user_staff(user_id=user.id, is_staff=True, groups=[])
        code = issue_code(user=user, kind=CodeKind.CONFIRM_EMAIL, address=user.pending_email)
        confirm_email(code=code)
        assert check_code(user, "000000x") is None
        paper = finish_set_up(user, f"{totp(key):06d}")
        reset_second_factor(user.id)
        for _ in range(2):
            request_password_reset(email=user.pending_email)
        queue.finish(60)
        monkeypatch.setattr(status_follow_up, "follow_up", lambda _: 1 / 0)
        set_user_active(user_id=user.id, is_active=False)
    # Libraries log plain texts.
    told = {r.msg["event"]: r.msg for r in caplog.records if isinstance(r.msg, dict)}
    second_factor = {f"second_factor_{what}" for what in ("refused", "set_up", "reset")}
    about_them = {"user_staff_changed", "email_confirmed", "status_follow_up_failed"}
    for event in about_them | second_factor:
        assert told[event]["user_id"] == str(user.id), event
    # Whom it was for is nobody's business: the line says only that it happened.
    assert set(told["mail_held_back"]) <= {"event", "level", "logger", "timestamp"}
    assert told.keys() >= APART
    assert not any(secret in caplog.text for secret in (code, key.hex(), *paper))
