"""The JSON of contacts and blocks."""

from typing import Any

from rest_framework import serializers

from accounts.names import LOGIN_MAX
from accounts.serializers import UserSerializer
from chatbe.api.fields import StrictSerializer, TimeField


class AddContactSerializer(StrictSerializer):
    username = serializers.CharField(max_length=LOGIN_MAX)


class ContactSerializer(serializers.Serializer[Any]):
    user = UserSerializer()
    created_at = TimeField()


class BlockSerializer(serializers.Serializer[Any]):
    user = UserSerializer(source="blocked")
    created_at = TimeField()
