"""Names of the topics that processes listen to on the channel layer.

A topic is a shard, not a conversation: publishing costs per topic, so one batch of
the log writer, which belongs to one shard, is one message.
"""

from django.conf import settings

SESSIONS_TOPIC = "sessions"

# Looked up several times for every message, which Django's lazy settings are too slow for.
_SHARDS: int = settings.LOG_TOPICS


def log_shard(conversation_id: int) -> int:
    """The shard of a conversation, 0 to LOG_TOPICS - 1."""
    # The low bits of an id are a counter that is nearly always 0: mix before dividing.
    return ((conversation_id * 0x9E3779B97F4A7C15 & 0xFFFFFFFFFFFFFFFF) >> 40) % _SHARDS


def log_topic(conversation_id: int) -> str:
    """The topic that carries a conversation's events."""
    return f"log.{log_shard(conversation_id)}"


def log_topics() -> list[str]:
    """The topics that together carry the events of all conversations."""
    return [f"log.{shard}" for shard in range(_SHARDS)]


def user_topic(user_id: int) -> str:
    """The topic that carries a user's own changes."""
    return f"user.{log_shard(user_id)}"
