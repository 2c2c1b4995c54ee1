"""A retry after a removal: known for ever (P2), and silent about what came later (P6)."""

from __future__ import annotations

import asyncio

import pytest

from tests.kit.site import TestUser
from tests.test_compat import logged_in, refusal

TOLD = {"conversation_id", "seq", "id", "client_id", "created_at"}


async def over_rest(person: TestUser, group: str, text: str, client_id: str):
    body = {"client_id": client_id, "text": text}
    return await person.rest("POST", f"conversations/{group}/messages", body)


async def over_socket(person: TestUser, group: str, text: str, client_id: str):
    async with person.greeted() as socket:
        answer = await socket.send_text(group, text, client_id=client_id)
        return answer["message"]


@pytest.fixture
async def group(site):
    """A group of two; the second is about to be removed."""
    owner, member = site.friends()
    await owner.be_logged_in()
    await member.be_logged_in()
    body = {"name": "Mill", "member_ids": [member.user_id]}
    made = await owner.rest("POST", "groups", body)
    return owner, member, made["conversation_id"]


@pytest.mark.parametrize("comes_back", [False, True], ids=["gone", "added again"])
@pytest.mark.parametrize("door", [over_rest, over_socket])
async def test_who_was_removed_learns_nothing_of_what_became_of_a_message(group, door, comes_back):
    owner, member, group_id = group
    sent = await door(member, group_id, "while a member", "c1")
    await owner.rest("DELETE", f"groups/{group_id}/members/{member.user_id}")
    kept = await door(member, group_id, "while a member", "c1")
    for number in range(3):
        await over_rest(owner, group_id, "afterwards", f"o{number}")
    await owner.rest("DELETE", f"conversations/{group_id}/messages/{sent['seq']}")
    if comes_back:
        body = {"member_ids": [member.user_id]}
        await owner.rest("POST", f"groups/{group_id}/members", body)
    again = await door(member, group_id, "while a member", "c1")
    assert again == kept == {name: sent[name] for name in TOLD}


@pytest.mark.parametrize("door", [over_rest, over_socket])
async def test_a_member_gets_the_message_as_it_is_now(group, door):
    owner, member, group_id = group
    sent = await door(member, group_id, "hello", "c1")
    await owner.rest("DELETE", f"conversations/{group_id}/messages/{sent['seq']}")
    again = await door(member, group_id, "hello", "c1")
    assert again["deleted_at"] is not None
    assert again["changed_seq"] > sent["seq"]


async def test_the_old_interface_tells_who_is_gone_nothing(group):
    owner, member, group_id = group
    old = await logged_in(member)
    async with old.online() as socket:
        await socket.say_in_group("Mill", "while a member")
        while not await old.group_messages("Mill"):
            await asyncio.sleep(0.05)
        await owner.rest("DELETE", f"groups/{group_id}/members/{member.user_id}")
        await over_rest(owner, group_id, "afterwards", "o1")
        await socket.say_in_group("Mill", "while a member")
        assert "you are in no group" in (await socket.explanation("group_chat")).lower()
        assert "afterwards" not in str(await socket.heard())
    assert (await refusal(old.group_messages("Mill")))[0] == 400
