"""The REST API of conversations, their logs and receipts."""

from conversations.views.conversations import ConversationViewSet
from conversations.views.friends import FriendMessagesViewSet
from conversations.views.messages import MessageViewSet

__all__ = ["ConversationViewSet", "FriendMessagesViewSet", "MessageViewSet"]
