"""Validation of requests, and the shapes of answers for the OpenAPI document.

Answers are made of the Structs in `schemas.py`; tests keep both descriptions in step.
"""

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from accounts.serializers import UserSerializer
from common.rest.fields import IdField, StrictSerializer

POSITION_MAX = 2**63 - 1


@extend_schema_field({"type": "string", "pattern": "^[!-~]{1,64}$"})
class ClientIdField(serializers.CharField):
    """The sender's own id for a message; the service validates it."""


class SendMessageSerializer(StrictSerializer):
    client_id = ClientIdField(max_length=64, trim_whitespace=False)
    text = serializers.CharField(trim_whitespace=False, allow_blank=True)
    reply_to = serializers.IntegerField(
        min_value=1, max_value=POSITION_MAX, required=False, allow_null=True
    )


class EditMessageSerializer(StrictSerializer):
    text = serializers.CharField(trim_whitespace=False, allow_blank=True)


class OpenDirectSerializer(StrictSerializer):
    user_id = IdField()


class MoveReceiptSerializer(StrictSerializer):
    read_seq = serializers.IntegerField(min_value=0, max_value=POSITION_MAX, required=False)
    delivered_seq = serializers.IntegerField(min_value=0, max_value=POSITION_MAX, required=False)

    def validate(self, attrs: Any) -> Any:
        if not attrs:
            raise serializers.ValidationError("say read_seq, delivered_seq or both")
        return attrs


class SystemSerializer(serializers.Serializer[Any]):
    action = serializers.CharField()
    user_ids = serializers.ListField(child=IdField())
    value = serializers.CharField()


class MessageSerializer(serializers.Serializer[Any]):
    conversation_id = IdField()
    seq = serializers.IntegerField()
    changed_seq = serializers.IntegerField()
    number = serializers.IntegerField()
    id = IdField()
    sender_id = IdField()
    client_id = serializers.CharField()
    kind = serializers.CharField()
    text = serializers.CharField()
    system = SystemSerializer(allow_null=True)
    reply_to = serializers.IntegerField(allow_null=True)
    created_at = serializers.DateTimeField()
    edited_at = serializers.DateTimeField(allow_null=True)
    deleted_at = serializers.DateTimeField(allow_null=True)


class SentMessageSerializer(serializers.Serializer[Any]):
    """A sender who is no longer a member gets only the first five fields."""

    conversation_id = IdField()
    seq = serializers.IntegerField()
    id = IdField()
    client_id = serializers.CharField()
    created_at = serializers.DateTimeField()
    changed_seq = serializers.IntegerField(required=False)
    number = serializers.IntegerField(required=False)
    sender_id = IdField(required=False)
    kind = serializers.CharField(required=False)
    text = serializers.CharField(required=False)
    system = SystemSerializer(allow_null=True, required=False)
    reply_to = serializers.IntegerField(allow_null=True, required=False)
    edited_at = serializers.DateTimeField(allow_null=True, required=False)
    deleted_at = serializers.DateTimeField(allow_null=True, required=False)


class GroupSerializer(serializers.Serializer[Any]):
    name = serializers.CharField()
    role = serializers.CharField()
    member_count = serializers.IntegerField()
    announcement_only = serializers.BooleanField()
    slow_seconds = serializers.IntegerField()
    closed = serializers.BooleanField()


class ConversationSerializer(serializers.Serializer[Any]):
    id = IdField()
    kind = serializers.CharField()
    head = serializers.IntegerField()
    visible_from = serializers.IntegerField()
    may_send = serializers.BooleanField()
    read_seq = serializers.IntegerField()
    delivered_seq = serializers.IntegerField()
    unread = serializers.IntegerField()
    peer = UserSerializer(allow_null=True)
    group = GroupSerializer(allow_null=True)
    last_message = MessageSerializer(allow_null=True)


class ConversationPageSerializer(serializers.Serializer[Any]):
    results = ConversationSerializer(many=True)
    next = serializers.CharField(allow_null=True)


class MessagePageSerializer(serializers.Serializer[Any]):
    results = MessageSerializer(many=True)
    head = serializers.IntegerField(help_text="the log's last position in the same snapshot")


class ChangesSerializer(serializers.Serializer[Any]):
    conversation_id = IdField()
    after = serializers.IntegerField()
    to = serializers.IntegerField()
    head = serializers.IntegerField()
    changes = MessageSerializer(many=True)


class ReceiptSerializer(serializers.Serializer[Any]):
    conversation_id = IdField()
    read_seq = serializers.IntegerField()
    delivered_seq = serializers.IntegerField()


class MemberReceiptSerializer(serializers.Serializer[Any]):
    user_id = IdField()
    read_seq = serializers.IntegerField(allow_null=True)
    delivered_seq = serializers.IntegerField()


class MemberReceiptPageSerializer(serializers.Serializer[Any]):
    results = MemberReceiptSerializer(many=True)
    next = serializers.CharField(allow_null=True)


class FriendMessagesSerializer(serializers.Serializer[Any]):
    friend = UserSerializer()
    conversation_id = IdField()
    messages = MessageSerializer(many=True, help_text="the newest ones, oldest first")
    head = serializers.IntegerField()


class FriendMessagesPageSerializer(serializers.Serializer[Any]):
    results = FriendMessagesSerializer(many=True)
    next = serializers.CharField(allow_null=True)
