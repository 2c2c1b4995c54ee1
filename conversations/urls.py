"""Mounted at /api/v1/."""

from django.urls import path

from conversations.views import ConversationViewSet, FriendMessagesViewSet, MessageViewSet

urlpatterns = [
    path("conversations", ConversationViewSet.as_view({"get": "list"}), name="conversations"),
    path(
        "conversations/direct",
        ConversationViewSet.as_view({"post": "open_direct"}),
        name="direct-conversation",
    ),
    path(
        "conversations/<str:conversation_id>",
        ConversationViewSet.as_view({"get": "retrieve"}),
        name="conversation",
    ),
    path(
        "conversations/<str:conversation_id>/receipt",
        ConversationViewSet.as_view({"put": "move_receipt"}),
        name="receipt",
    ),
    path(
        "conversations/<str:conversation_id>/receipts",
        ConversationViewSet.as_view({"get": "receipts"}),
        name="receipts",
    ),
    path(
        "conversations/<str:conversation_id>/messages",
        MessageViewSet.as_view({"get": "list", "post": "create"}),
        name="messages",
    ),
    path(
        "conversations/<str:conversation_id>/messages/<str:seq>",
        MessageViewSet.as_view({"get": "retrieve", "patch": "partial_update", "delete": "destroy"}),
        name="message",
    ),
    path(
        "conversations/<str:conversation_id>/changes",
        MessageViewSet.as_view({"get": "changes"}),
        name="changes",
    ),
    path("private-messages", FriendMessagesViewSet.as_view({"get": "list"}), name="friends"),
    path(
        "private-messages/<str:user_id>",
        FriendMessagesViewSet.as_view({"get": "retrieve"}),
        name="friend",
    ),
]
