"""Asking bots and waiting for what they say."""

from __future__ import annotations

import contextlib
import json
import sys
from typing import Any

from tests.kit.ai_provider import MODELS
from tests.kit.servers import PROJECT, ProductServer
from tests.kit.site import Frame, Socket, TestSite, TestUser


class Chats(TestSite):
    """A server with a bot for each thing the stand-in can do, called like it."""

    def __init__(self, database_url: str, redis_url: str, **settings: str) -> None:
        super().__init__("serve", database_url, redis_url, **settings)
        self.seed("bots", models=MODELS)
        made = self.rows("SELECT username, id FROM accounts_user WHERE is_bot")
        # By their models; the default one has that of the settings.
        self.bots = {name.removesuffix("-bot"): str(id) for name, id in made}

    def seed(self, do: str, **wish: Any) -> Any:
        """Have something made that no outer door makes (seed.py)."""
        text = json.dumps({"do": do, **wish})
        return json.loads(self.installation.run("-m", "chatbot.tests.seed", text=text))

    async def asking(self, model: str = "assistant") -> tuple[TestUser, str]:
        """Somebody, and their conversation with the bot of this model."""
        person, _ = self.strangers()
        return person, await self.talk_to(person, model)

    async def talk_to(self, person: TestUser, model: str) -> str:
        answer = await person.rest("POST", "conversations/direct", {"user_id": self.bots[model]})
        return str(answer["id"])

    def answers(self, conversation_id: str) -> list[tuple[Any, ...]]:
        """(question_seq, status, fault, open) of the conversation's questions."""
        found = self.rows(
            "SELECT question_seq, status, fault, open FROM chatbot_answer"
            " WHERE conversation_id = ? ORDER BY question_seq",
            int(conversation_id),
        )
        return [(*row[:3], bool(row[3])) for row in found]


async def ask(socket: Socket, conversation_id: str, text: str) -> int:
    """Send a question: its position."""
    answer = await socket.send_text(conversation_id, text)
    assert answer["type"] == "reply", answer
    return int(answer["message"]["seq"])


async def answer_to(socket: Socket, seq: int, seconds: float = 20.0) -> Frame:
    """The bot's message that answers the question at a position."""
    return await socket.message_with(seconds, reply_to=seq)


async def talk(socket: Socket, conversation_id: str, text: str) -> str:
    """What the bot answers to this."""
    message = await answer_to(socket, await ask(socket, conversation_id, text))
    return str(message["text"])


class WorkerProcess(ProductServer):
    """One `manage.py chatbot_worker`."""

    title = "The worker"

    def _command(self) -> list[str]:
        return [sys.executable, str(PROJECT / "manage.py"), "chatbot_worker"]

    def _answers(self, pid: int) -> bool:
        with contextlib.suppress(OSError):
            return "Answering." in self.log
        return False
