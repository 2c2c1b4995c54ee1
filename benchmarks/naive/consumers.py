"""The baseline's sockets, with the frame names of docs/protocol.md."""

from typing import Any
from urllib.parse import parse_qs

from channels.db import database_sync_to_async
from channels.generic.websocket import AsyncJsonWebsocketConsumer

from benchmarks.naive.models import Membership, Message


class ChatConsumer(AsyncJsonWebsocketConsumer):
    """`?user=<id>` joins the groups of all of the user's conversations."""

    async def connect(self) -> None:
        self.user_id = int(parse_qs(self.scope["query_string"].decode())["user"][0])
        self.groups_joined = [group(each) for each in await self.conversation_ids()]
        for name in self.groups_joined:
            await self.channel_layer.group_add(name, self.channel_name)
        await self.accept()
        await self.send_json({"type": "live"})

    async def disconnect(self, code: int) -> None:
        for name in self.groups_joined:
            await self.channel_layer.group_discard(name, self.channel_name)

    async def receive_json(self, content: dict[str, Any], **kwargs: Any) -> None:
        message = await self.save_message(content)
        if message is None:
            await self.send_json({"type": "error", "ref": content["ref"], "code": "not_found"})
            return
        await self.channel_layer.group_send(
            group(message["conversation_id"]), {"type": "chat.message", "message": message}
        )
        await self.send_json({"type": "reply", "ref": content["ref"], "message": message})

    async def chat_message(self, event: dict[str, Any]) -> None:
        await self.send_json({"type": "message.created", "message": event["message"]})

    @database_sync_to_async
    def conversation_ids(self) -> list[int]:
        memberships = Membership.objects.filter(user_id=self.user_id)
        return list(memberships.values_list("conversation_id", flat=True))

    @database_sync_to_async
    def save_message(self, content: dict[str, Any]) -> dict[str, Any] | None:
        """The stored message, or None if the user is not in the conversation."""
        conversation_id = int(content["conversation_id"])
        if not Membership.objects.filter(
            conversation_id=conversation_id, user_id=self.user_id
        ).exists():
            return None
        message = Message.objects.create(
            conversation_id=conversation_id,
            sender_id=self.user_id,
            client_id=content["client_id"],
            text=content["text"],
        )
        return {
            "id": str(message.id),
            "conversation_id": str(conversation_id),
            "sender_id": str(self.user_id),
            "client_id": message.client_id,
            "text": message.text,
            "created_at": message.created_at.isoformat(),
        }


class PongConsumer(AsyncJsonWebsocketConsumer):
    """Answers whatever comes, and does nothing else: what a command costs before it does."""

    async def connect(self) -> None:
        await self.accept()
        await self.send_json({"type": "live"})

    async def receive_json(self, content: dict[str, Any], **kwargs: Any) -> None:
        await self.send_json({"type": "pong"})


def group(conversation_id: int | str) -> str:
    return f"conversation-{conversation_id}"
