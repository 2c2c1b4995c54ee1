"""Groups over sockets: who may write, what members hear, and how newcomers and leavers fare."""

import pytest

from tests.kit.account import RefusedError

pytestmark = pytest.mark.both_databases


async def group_of(owner, *others, **fields):
    """The id of a new group of these people."""
    body = {"name": "Mill", "member_ids": [person.user_id for person in others], **fields}
    return (await owner.rest("POST", "groups", body))["conversation_id"]


async def refusal(person, conversation_id, text="hello"):
    """How a message over REST is refused."""
    path = f"conversations/{conversation_id}/messages"
    with pytest.raises(RefusedError) as refused:
        await person.rest("POST", path, {"client_id": text, "text": text})
    return refused.value.code


async def system(socket, action):
    """The next system message of this action."""
    while True:
        message = await socket.message_with()
        if message["system"] and message["system"]["action"] == action:
            return message


async def test_a_group_appears_and_everybody_hears_everybody(site):
    alice, bob = site.friends()
    async with alice.live() as phone, bob.live() as tablet:
        id = await group_of(alice, bob)
        for socket, role in ((phone, "owner"), (tablet, "member")):
            added = (await socket.expect("conversation.added"))["conversation"]
            assert (added["id"], added["kind"], added["may_send"]) == (id, "group", True)
            assert (added["group"]["name"], added["group"]["role"]) == ("Mill", role)
        for here, there in ((phone, tablet), (tablet, phone)):
            text = f"from {id if here is phone else 'there'}"
            assert (await here.send_text(id, text))["type"] == "reply"
            assert (await there.message(text))["text"] == text


async def test_only_owners_and_admins_write_where_only_they_announce(site):
    alice, bob = site.friends()
    id = await group_of(alice, bob)
    async with alice.live() as phone, bob.live() as tablet:
        await alice.rest("PATCH", f"groups/{id}", {"announcement_only": True})
        assert (await system(tablet, "announcement_only.changed"))["system"]["value"] == "on"
        refused = await tablet.send_text(id, "may I?")
        assert (refused["type"], refused["code"]) == ("error", "forbidden")
        assert await refusal(bob, id) == "forbidden"
        assert (await bob.rest("GET", f"conversations/{id}"))["may_send"] is False
        assert (await phone.send_text(id, "hear"))["type"] == "reply"
        await alice.rest("PATCH", f"groups/{id}/members/{bob.user_id}", {"role": "admin"})
        assert (await tablet.send_text(id, "as an admin"))["type"] == "reply"
        await alice.rest("PATCH", f"groups/{id}/members/{bob.user_id}", {"role": "member"})
        assert (await tablet.send_text(id, "not any more"))["code"] == "forbidden"
        await alice.rest("PATCH", f"groups/{id}", {"announcement_only": False})
        assert (await tablet.send_text(id, "at last"))["type"] == "reply"


async def test_in_slow_mode_members_wait_between_two_messages(site):
    alice, bob = site.friends()
    id = await group_of(alice, bob)
    async with alice.live() as phone, bob.live() as tablet:
        await alice.rest("PATCH", f"groups/{id}", {"slow_seconds": 3_600})
        first = await tablet.send_text(id, "first", client_id="first")
        assert first["type"] == "reply"
        second = await tablet.send_text(id, "second")
        assert (second["type"], second["code"], second["retry"]) == ("error", "rate_limited", True)
        assert 3_500 < second["retry_after"] <= 3_600
        # A retry is no second message; whoever governs does not wait.
        assert await tablet.send_text(id, "first", client_id="first") == first | {"ref": "ask-3"}
        for text in ("one", "two"):
            assert (await phone.send_text(id, text))["type"] == "reply"
        await alice.rest("PATCH", f"groups/{id}", {"slow_seconds": 0})
        assert (await tablet.send_text(id, "third"))["type"] == "reply"


async def test_nobody_writes_in_a_closed_group(site):
    alice, bob = site.friends()
    id = await group_of(alice, bob)
    async with alice.live() as phone, bob.live() as tablet:
        await alice.rest("POST", f"groups/{id}/close")
        assert (await system(tablet, "group.closed"))["sender_id"] == alice.user_id
        for socket in (phone, tablet):
            assert (await socket.send_text(id, "anyone?"))["code"] == "forbidden"
        assert await refusal(bob, id) == "forbidden"


async def test_who_joins_by_a_link_hears_what_comes_from_then_on(site):
    alice, bob = site.strangers()
    id = await group_of(alice)
    invitation = await alice.rest("POST", f"groups/{id}/invitations", {})
    async with alice.live() as phone, bob.live() as tablet:
        await phone.send_text(id, "before")
        await bob.rest("POST", "groups/join", {"token": invitation["token"]})
        added = await tablet.expect("conversation.added")
        assert added["conversation"]["visible_from"] == added["cursor"] + 1
        joined = await system(phone, "member.joined")
        assert joined["system"]["user_ids"] == [bob.user_id]
        await phone.send_text(id, "after")
        assert (await tablet.message("after"))["seq"] == joined["seq"] + 1
        assert not any("before" in str(data) for data in tablet.raw)


async def test_whoever_leaves_is_told_so_and_nothing_more(site):
    alice, bob = site.friends()
    id = await group_of(alice, bob)
    async with alice.live() as phone, bob.live() as tablet:
        await bob.rest("POST", f"groups/{id}/leave")
        left = await system(phone, "member.left")
        await tablet.expect("conversation.removed", conversation_id=id)
        await phone.send_text(id, "is he gone?")
        await tablet.settle()
        assert not any("is he gone?" in str(data) for data in tablet.raw)
        assert all(message["seq"] <= left["seq"] for message in tablet.messages)
