"""Resuming from cursors over sockets, on both servers."""

import pytest

from chatbe.settings import REPLAY_MAX


async def said(phone, conversation_id, count):
    for number in range(1, count + 1):
        answer = await phone.send_text(conversation_id, f"m{number}")
        assert answer["type"] == "reply"


async def test_what_was_missed_comes_as_one_range_from_the_cursor(stage):
    alice, bob, conversation_id = await stage.talking()
    async with alice.live() as phone:
        await said(phone, conversation_id, 5)
    async with bob.greeted() as tablet:
        await tablet.send("sync", cursors={conversation_id: 2}, done=True)
        missed = await tablet.expect("range")
        await tablet.expect("live")
        assert (missed["after"], missed["to"], missed["head"]) == (2, 5, 5)
        assert [m["text"] for m in missed["changes"]] == ["m3", "m4", "m5"]


async def test_a_cursor_at_the_head_brings_nothing(stage):
    alice, bob, conversation_id = await stage.talking()
    async with alice.live() as phone:
        await said(phone, conversation_id, 2)
    async with bob.live({conversation_id: 2}) as tablet:
        assert [f["type"] for f in await tablet.settle()] == []


async def test_cursors_may_come_in_several_frames(stage):
    alice, bob, conversation_id = await stage.talking()
    async with alice.live() as phone:
        await said(phone, conversation_id, 1)
    async with bob.greeted() as tablet:
        await tablet.send("sync", cursors={conversation_id: 0}, done=False)
        assert await tablet.settle() == []
        await tablet.send("sync", cursors={"12345": 7}, done=True)
        gone = await tablet.expect("conversation.removed")
        missed = await tablet.expect("range")
        await tablet.expect("live")
        assert gone["conversation_id"] == "12345"
        assert [m["text"] for m in missed["changes"]] == ["m1"]


async def test_who_is_too_far_behind_is_told_the_head_only(stage):
    alice, bob, conversation_id = await stage.talking()
    async with alice.live() as phone:
        await said(phone, conversation_id, 1)
    stage.change(
        f"UPDATE conversations_conversation SET last_seq = {REPLAY_MAX + 1}"  # noqa: S608
        f" WHERE id = {conversation_id}"
    )
    async with bob.greeted() as tablet:
        await tablet.send("sync", cursors={conversation_id: 0}, done=True)
        behind = await tablet.expect("conversation.behind")
        await tablet.expect("live")
        assert behind == {
            "type": "conversation.behind",
            "conversation_id": conversation_id,
            "head": REPLAY_MAX + 1,
        }


async def test_a_cursor_beyond_the_head_is_reset(stage):
    _, bob, conversation_id = await stage.talking()
    async with bob.greeted() as tablet:
        await tablet.send("sync", cursors={conversation_id: 9}, done=True)
        reset = await tablet.expect("reset")
        await tablet.expect("live")
        assert reset["conversation_id"] == conversation_id


@pytest.mark.parametrize("epoch", ["another", "00000000-0000-0000-0000-000000000000"])
async def test_cursors_of_another_epoch_are_all_reset(stage, epoch):
    alice, bob, conversation_id = await stage.talking()
    async with alice.live() as phone:
        await said(phone, conversation_id, 3)
    async with bob.greeted(epoch=epoch) as tablet:
        await tablet.send("sync", cursors={conversation_id: 1}, done=True)
        assert await tablet.expect("reset") == {"type": "reset"}
        added = await tablet.expect("conversation.added")
        await tablet.expect("live")
        assert (added["cursor"], added["head"]) == (3, 3)
        assert added["conversation"]["id"] == conversation_id


async def test_the_same_epoch_keeps_the_cursors(stage):
    _, bob, conversation_id = await stage.talking()
    async with bob.greeted() as tablet:
        epoch = stage.rows("SELECT epoch FROM core_installation")[0][0]
    text = str(epoch) if "-" in str(epoch) else None
    async with bob.greeted(epoch=text or _with_dashes(str(epoch))) as tablet:
        await tablet.send("sync", cursors={conversation_id: 0}, done=True)
        await tablet.expect("live")
        assert await tablet.settle() == []


def _with_dashes(digits):
    parts = (digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:])
    return "-".join(parts)
