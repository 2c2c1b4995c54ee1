"""Workers that die or are stopped in the middle of an answer, and workers that meet."""

import asyncio
import uuid

import pytest

from chatbot.tests.bots import WorkerProcess, answer_to, ask
from chatbot.tests.conftest import started

pytestmark = pytest.mark.both_databases


@pytest.mark.embedded_only
async def test_a_server_killed_in_mid_answer_says_what_it_had_and_asks_nobody_again(provider):
    with started(provider) as chats:
        question = f"count {uuid.uuid4().hex}"
        alice, conversation_id = await chats.asking("slow")
        async with alice.live() as phone:
            seq = await ask(phone, conversation_id, question)
            seen = [await phone.expect("bot.streamed", question_seq=seq) for _ in range(2)]
            chats.server.kill()
        chats.server.restart()
        async with alice.live({conversation_id: seq}) as phone:
            message = await after(phone, conversation_id, seq)
        assert_interrupted(message, seen)
        assert len(provider.about(question)) == 1
        # Said first, then closed.
        closed = [(seq, "interrupted", "", False)]
        async with asyncio.timeout(20):
            while chats.answers(conversation_id) != closed:
                await asyncio.sleep(0.1)
        # Stopped in good order, it says so before it ends.
        async with alice.live({conversation_id: seq + 1}) as phone:
            seq = await ask(phone, conversation_id, f"{question} again")
            await phone.expect("bot.streamed", question_seq=seq)
        chats.server.stop()
        assert chats.server.exit_code == 0
        assert chats.answers(conversation_id)[1:] == [(seq, "interrupted", "", False)]


@pytest.mark.postgres
async def test_a_worker_killed_in_mid_answer_leaves_it_to_another(provider):
    with started(provider, CHATBOT_WORKER_IN_SERVER="false") as chats:
        question = f"count {uuid.uuid4().hex}"
        alice, conversation_id = await chats.asking("slow")
        worker, other = (WorkerProcess(chats.installation.environment) for _ in range(2))
        try:
            async with alice.live() as phone:
                # With nobody there to answer it waits in the log.
                seq = await ask(phone, conversation_id, question)
                worker.start()
                seen = [await phone.expect("bot.streamed", question_seq=seq) for _ in range(2)]
                worker.kill()
                other.start()
                message = await answer_to(phone, seq)
                assert_interrupted(message, seen)
                assert len(provider.about(question)) == 1
                # The other goes on, and when it is stopped it says what it has.
                seq = await ask(phone, conversation_id, f"{question} again")
                seen = [await phone.expect("bot.streamed", question_seq=seq)]
                other.stop()
                assert_interrupted(await answer_to(phone, seq), seen)
        finally:
            worker.close()
            other.close()
        assert other.exit_code == 0


@pytest.mark.postgres
async def test_two_workers_ask_each_question_once_and_keep_to_the_budget_together(provider):
    settings = {"CHATBOT_WORKER_IN_SERVER": "false", "CHATBOT_QUESTIONS_PER_DAY": "20"}
    with started(provider, **settings) as chats:
        workers = [WorkerProcess(chats.installation.environment) for _ in range(2)]
        for worker in workers:
            worker.start()
        mark = uuid.uuid4().hex
        people = [await chats.asking() for _ in range(30)]

        async def once(person, conversation_id):
            async with person.live() as socket:
                seq = await ask(socket, conversation_id, f"{mark} {conversation_id}")
                return (await answer_to(socket, seq))["text"]

        try:
            said = await asyncio.gather(*(once(*place) for place in people))
        finally:
            for worker in workers:
                worker.close()
        asked = [body["messages"][-1]["content"] for body in provider.requests]
        asked = [text for text in asked if text.startswith(mark)]
        assert len(asked) == len(set(asked)) == 20
        assert sum(text.startswith("You said") for text in said) == 20
        assert sum("tomorrow" in text for text in said) == 10


async def after(socket, conversation_id, seq):
    """The message that answers, whether it comes as an event or was there already."""
    while True:
        found = await socket.ask("conversation.fetch", conversation_id=conversation_id, after=seq)
        if found["changes"]:
            return found["changes"][0]
        await asyncio.sleep(0.1)


def assert_interrupted(message, seen):
    text = "".join(frame["text"] for frame in seen)
    assert message["text"].startswith(text.strip())
    assert "(I was interrupted here" in message["text"]
