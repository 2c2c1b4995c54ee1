"""Whatever TIME_ZONE is, every time that anybody is told is UTC, and the same in all places."""

import contextlib
import json
import os
import re
import zipfile
from datetime import UTC, datetime, timedelta

import pytest
import requests

from tests.kit.secret_scan import PASSWORD
from tests.kit.servers import fresh_database, running_redis
from tests.kit.site import TestSite

TIME = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:?\d\d)?")
# An hour off is found, and a quarter; what expires does so after whole hours or within these.
NEAR = timedelta(minutes=12)
PLACES = (
    *("me", "sessions", "me/notices", "contacts", "conversations", "groups/{group}"),
    *("groups/{group}/invitations", "groups/{group}/join-requests", "blocks", "bots"),
    *("conversations/{direct}", "conversations/{direct}/messages"),
    *("conversations/{direct}/messages?before=9", "conversations/{direct}/messages?around=1"),
    *("conversations/{direct}/messages/1", "conversations/{direct}/changes?after=0"),
    *("conversations/{group}/messages", "private-messages/{friend}", "presence"),
)
EXPIRING = re.compile(r'"\w*expires_at": ?"[^"]*"')


class Elsewhere(TestSite):
    people = 8


@pytest.fixture(scope="module")
def elsewhere():
    """A server that is moved about."""
    with contextlib.ExitStack() as stack:
        urls = ["", ""]
        if os.environ.get("DATABASE_URL"):
            urls = [stack.enter_context(fresh_database()), stack.enter_context(running_redis())]
        site = Elsewhere("serve", *urls)
        stack.callback(site.server.close)
        yield site


def wrong_times(text, around):
    """The times in a text that are not UTC or not near."""
    found = TIME.findall(EXPIRING.sub("", text))
    return [
        time
        for time in found
        if not time.endswith("Z") or abs(datetime.fromisoformat(time) - around) > NEAR
    ]


# +05:45 and -03:30.
@pytest.mark.parametrize("zone", ["Asia/Kathmandu", "America/St_Johns"])
async def test_every_time_is_utc_wherever_it_is_told(elsewhere, tmp_path, zone):
    elsewhere.installation.environment["TIME_ZONE"] = zone
    elsewhere.server.environment["TIME_ZONE"] = zone
    elsewhere.server.restart()
    now = datetime.now(UTC)
    alice, bob, direct = await elsewhere.talking()
    made = await alice.rest("POST", "groups", {"name": "Mill", "member_ids": [bob.user_id]})
    group = made["conversation_id"]
    await alice.rest("POST", f"groups/{group}/invitations", {"expires_in": 3_600})
    await bob.be_logged_in()
    outputs = {}
    async with alice.live() as socket:
        for place in (direct, group):
            await socket.send_text(place, "one")
            sent = await socket.send_text(place, "two", client_id="c")
            again = await socket.send_text(place, "two", client_id="c")
            # What a retry is answered with was read; what it was answered with first was not.
            assert again["message"]["created_at"] == sent["message"]["created_at"]
            seq = sent["message"]["seq"]
            path = f"conversations/{place}/messages"
            await alice.rest("PATCH", f"{path}/{seq}", {"text": "three"})
            await alice.rest("DELETE", f"{path}/{seq - 1}")
        await socket.ask("conversation.fetch", conversation_id=direct, after=0)
        outputs["socket"] = "\n".join(map(str, socket.raw))
    async with bob.live({direct: 0, group: 0}) as socket:
        await socket.settle()
        outputs["resume"] = "\n".join(map(str, socket.raw))
    seen = {"direct": direct, "group": group, "friend": bob.user_id}
    for place in PLACES:
        path = place.format(**seen)
        outputs[path] = json.dumps(await alice.rest("GET", path))
    outputs |= await old_outputs(elsewhere, alice, bob)
    outputs["export"] = exported(elsewhere, alice.username, tmp_path / "copy.zip")
    assert {where: wrong_times(told, now) for where, told in outputs.items()} == {
        where: [] for where in outputs
    }
    told = {where for where, output in outputs.items() if TIME.search(output)}
    assert told >= {"socket", "resume", "export", "/v1/messages", "sessions", "conversations"}
    # One message, one time, in all of them.
    page = json.loads(outputs[f"conversations/{direct}/messages"])["results"][-1]
    listed = json.loads(outputs["conversations"])["results"]
    [last] = [entry["last_message"] for entry in listed if entry["id"] == direct]
    [old] = [m for m in old_messages(outputs["/v1/messages"]) if m["content"] == "three"]
    assert page["created_at"] == last["created_at"] == old["created_at"]
    assert page["edited_at"] == last["edited_at"] == old["updated_at"]
    assert page["created_at"] in outputs["socket"]
    assert page["created_at"] in outputs["resume"]
    assert page["created_at"] in outputs["export"]


def old_messages(text):
    return [m for found in json.loads(text)["message"]["friendId"].values() for m in found]


async def old_outputs(site, alice, bob):
    body = {"email": f"{alice.username}@example.org", "password": PASSWORD}
    login = requests.post(f"{site.server.url}/v1/auth/login", json=body, timeout=20).json()  # noqa: ASYNC210 - nobody else is here
    headers = {"Authorization": f"Bearer {login['access_token']}"}
    outputs = {}
    for path in ("/v1/messages", f"/v1/messages/friend?friendUsername={bob.username}"):
        answer = requests.get(site.server.url + path, headers=headers, timeout=20)  # noqa: ASYNC210
        assert answer.status_code == 200, answer.text
        outputs[path] = answer.text
    return outputs


def exported(site, username, path):
    site.installation.run("manage.py", "export_user", username, "--output", str(path))
    with zipfile.ZipFile(path) as archive:
        return "\n".join(archive.read(name).decode() for name in archive.namelist())


def test_a_wrong_time_is_found():
    now = datetime(2026, 1, 1, 12, tzinfo=UTC)
    text = '"2026-01-01T12:01:00.000Z" "2026-01-01T11:00:00.000Z" "2026-01-01T12:00:00.000"'
    assert len(wrong_times(text, now)) == 2
    assert wrong_times('{"expires_at":"2026-03-01T12:00:00.000Z"}', now) == []
