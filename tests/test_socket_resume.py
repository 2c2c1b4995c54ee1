"""Coming back with cursors: what was missed, and cursors that lead nowhere, on both servers."""

import pytest

pytestmark = pytest.mark.both_databases


BEYOND = 99


async def with_friends(site, count):
    """Somebody with a conversation with each of so many people; all of them."""
    alice, _ = site.friends()
    people = [site.friends()[0] for _ in range(count)]
    for bob in people:
        await alice.rest("POST", "contacts", {"username": bob.username})
    return alice, [(bob, await alice.direct(bob)) for bob in people]


async def write(person, conversation_id, count):
    """Send so many messages, and wait until all are stored."""
    async with person.greeted() as socket:
        for number in range(count):
            await socket.send(
                "message.send",
                ref=str(number),
                conversation_id=conversation_id,
                client_id=f"w{number}",
                text=str(number),
            )
        for number in range(count):
            assert (await socket.expect(ref=str(number)))["type"] == "reply"


async def resume(socket, cursors):
    """Sync in one frame; everything that was said up to `live`, but for presence."""
    start = len(socket.seen)
    await socket.send("sync", cursors=cursors, done=True)
    await socket.expect("live")
    said = [f for f in socket.seen[start:] if not f["type"].startswith("presence.")]
    assert said[-1] == {"type": "live"}
    return said[:-1]


async def is_told_what_is_new(socket, writer, conversation_id, text):
    await writer.rest(
        "POST", f"conversations/{conversation_id}/messages", {"client_id": text, "text": text}
    )
    assert (await socket.message(text))["conversation_id"] == conversation_id


async def test_cursors_may_come_in_several_frames_and_nothing_is_said_before_the_last(site):
    alice, friends = await with_friends(site, 3)
    for bob, conversation_id in friends:
        await write(bob, conversation_id, 2)
    ids = [conversation_id for _, conversation_id in friends]
    async with alice.greeted() as socket:
        await socket.send("sync", cursors={ids[0]: 0}, done=False)
        await socket.send("sync", cursors={ids[1]: 1}, done=False)
        assert await socket.settle() == []
        said = await resume(socket, {ids[2]: 2})
    assert {(f["type"], f["conversation_id"], f["after"], f["to"]) for f in said} == {
        ("range", ids[0], 0, 2),
        ("range", ids[1], 1, 2),
    }
    [first] = [frame for frame in said if frame["conversation_id"] == ids[0]]
    assert [message["seq"] for message in first["changes"]] == [1, 2]


async def test_a_later_cursor_for_the_same_conversation_counts(site):
    alice, bob, conversation_id = await site.talking()
    await write(bob, conversation_id, 3)
    async with alice.greeted() as socket:
        await socket.send("sync", cursors={conversation_id: 0}, done=False)
        [missed] = await resume(socket, {conversation_id: 2})
    assert (missed["after"], missed["to"]) == (2, 3)


async def test_one_frame_holds_a_thousand_cursors_and_no_more(site):
    alice, _ = site.friends()
    cursors = {str(number): 0 for number in range(1, 1_002)}
    async with alice.greeted() as socket:
        answer = await socket.ask("sync", cursors=cursors, done=False)
        assert answer["code"] == "invalid"
        cursors.popitem()
        said = await resume(socket, cursors)
    assert {frame["type"] for frame in said} == {"conversation.removed"}
    assert {frame["conversation_id"] for frame in said} == set(cursors)


async def test_a_client_without_cursors_is_told_of_its_conversations(site):
    alice, friends = await with_friends(site, 2)
    await write(friends[0][0], friends[0][1], 2)
    async with alice.greeted() as socket:
        said = await resume(socket, {})
    assert {f["type"] for f in said} == {"conversation.added"}
    told = {f["conversation"]["id"]: (f["cursor"], f["head"]) for f in said}
    assert told == {friends[0][1]: (2, 2), friends[1][1]: (0, 0)}


async def test_an_up_to_date_client_is_told_nothing_but_live(site):
    alice, bob, conversation_id = await site.talking()
    await write(bob, conversation_id, 2)
    async with alice.greeted() as socket:
        assert await resume(socket, {conversation_id: 2}) == []
        await is_told_what_is_new(socket, bob, conversation_id, "news")


@pytest.mark.parametrize("behind", [500, 501])
async def test_who_missed_more_than_the_server_replays_is_told_to_start_anew(site, behind):
    alice, bob, conversation_id = await site.talking()
    await write(bob, conversation_id, behind + 1)
    async with alice.greeted() as socket:
        [frame] = await resume(socket, {conversation_id: 1})
        if behind == 500:
            assert frame["type"] == "range"
            assert [message["seq"] for message in frame["changes"]] == list(range(2, 502))
            return
        assert frame == {
            "type": "conversation.behind",
            "conversation_id": conversation_id,
            "head": behind + 1,
        }
        # As the document says: the newest page, and one fetch from its head.
        page = await alice.rest("GET", f"conversations/{conversation_id}/messages")
        assert page["head"] == page["results"][-1]["seq"] == behind + 1
        await is_told_what_is_new(socket, bob, conversation_id, "news")
        fetched = await socket.ask(
            "conversation.fetch", conversation_id=conversation_id, after=page["head"]
        )
        assert [message["text"] for message in fetched["changes"]] == ["news"]


async def test_a_cursor_beyond_the_head_is_reset_and_its_conversation_goes_on(site):
    alice, bob, conversation_id = await site.talking()
    await write(bob, conversation_id, 2)
    async with alice.greeted() as socket:
        said = await resume(socket, {conversation_id: BEYOND})
        assert said == [{"type": "reset", "conversation_id": conversation_id}]
        await is_told_what_is_new(socket, bob, conversation_id, "news")


async def test_only_the_conversation_whose_cursor_is_beyond_is_reset(site):
    alice, [(bob, lost), (carol, kept)] = await with_friends(site, 2)
    await write(bob, lost, 1)
    await write(carol, kept, 2)
    async with alice.greeted() as socket:
        said = await resume(socket, {lost: 2, kept: 1})
    assert [f for f in said if f["type"] == "reset"] == [{"type": "reset", "conversation_id": lost}]
    [missed] = [f for f in said if f["type"] == "range"]
    assert (missed["conversation_id"], missed["after"], missed["to"]) == (kept, 1, 2)


async def test_another_epoch_resets_everything_once(site):
    alice, bob, conversation_id = await site.talking()
    await write(bob, conversation_id, 2)
    async with alice.greeted(epoch="of another database") as socket:
        said = await resume(socket, {conversation_id: 1})
        assert said[0] == {"type": "reset"}
        [added] = said[1:]
        assert added["type"] == "conversation.added"
        assert (added["conversation"]["id"], added["cursor"]) == (conversation_id, 2)
        # Having been told, the client counts in this database.
        [missed] = await resume(socket, {conversation_id: 1})
        assert (missed["type"], missed["after"]) == ("range", 1)
        await is_told_what_is_new(socket, bob, conversation_id, "news")


async def test_the_same_epoch_resets_nothing(site):
    alice, bob, conversation_id = await site.talking()
    await write(bob, conversation_id, 2)
    async with alice.greeted() as socket:
        epoch = socket.seen[0]["epoch"]
    async with alice.greeted(epoch=epoch, feed_seq=0) as socket:
        assert socket.seen[0]["epoch"] == epoch
        [missed] = await resume(socket, {conversation_id: 1})
        assert missed["type"] == "range"


async def test_a_cursor_for_a_foreign_conversation_and_for_an_absent_one_answer_the_same(site):
    _, _, foreign = await site.talking()
    alice, _ = site.friends()
    absent = str(int(foreign) + 1)
    async with alice.greeted() as socket:
        said = await resume(socket, {foreign: 0, absent: 0})
    assert sorted(frame.pop("conversation_id") for frame in said) == sorted([foreign, absent])
    assert said == [{"type": "conversation.removed"}] * 2


async def test_sync_may_be_sent_again_at_any_time(site):
    alice, bob, conversation_id = await site.talking()
    await write(bob, conversation_id, 3)
    async with alice.greeted() as socket:
        for cursor in (3, 0, 2):
            said = await resume(socket, {conversation_id: cursor})
            assert [(f["after"], f["to"]) for f in said] == ([] if cursor == 3 else [(cursor, 3)])
        await is_told_what_is_new(socket, bob, conversation_id, "news")
        assert len([f for f in await socket.settle() if f["type"] == "message.created"]) == 0


async def test_long_messages_come_in_several_ranges_and_none_is_missing(site):
    alice, bob, conversation_id = await site.talking()
    longest = "😀" * 8_000
    async with bob.greeted() as socket:
        for number in range(40):
            answer = await socket.ask(
                "message.send",
                conversation_id=conversation_id,
                client_id=f"long{number}",
                text=longest,
            )
            assert answer["type"] == "reply"
    async with alice.greeted() as socket:
        said = await resume(socket, {conversation_id: 0})
        await is_told_what_is_new(socket, bob, conversation_id, "and-a-short-one")
    assert len(said) > 1
    assert {frame["type"] for frame in said} == {"range"}
    assert [frame["after"] for frame in said] == [0, *(frame["to"] for frame in said[:-1])]
    assert said[-1]["to"] == said[-1]["head"] == 40
    changes = [change for frame in said for change in frame["changes"]]
    assert [change["seq"] for change in changes] == list(range(1, 41))
    assert {change["text"] for change in changes} == {longest}


async def test_too_many_cursors_are_refused_and_the_sync_can_be_said_again(site):
    alice, bob, conversation_id = await site.talking()
    async with alice.greeted() as socket:
        for start in range(1, 10_001, 1_000):
            part = {str(10**15 + number): 1 for number in range(start, start + 1_000)}
            await socket.send("sync", cursors=part, done=False)
        answer = await socket.ask("sync", cursors={conversation_id: 0}, done=False)
        assert (answer["code"], list(answer["fields"])) == ("invalid", ["cursors"])
        assert await resume(socket, {conversation_id: 0}) == []
        await is_told_what_is_new(socket, bob, conversation_id, "still-here")
