"""The JSON of contacts, requests, blocks and users."""

from typing import Any

from rest_framework import serializers

from accounts.names import LOGIN_MAX
from accounts.serializers import UserSerializer
from common.rest.fields import StrictSerializer, TimeField
from contacts.models import ALIAS_MAX


class AddContactSerializer(StrictSerializer):
    username = serializers.CharField(max_length=LOGIN_MAX)


class AliasSerializer(StrictSerializer):
    # Looser than the rule, which the service knows and explains.
    alias = serializers.CharField(max_length=4 * ALIAS_MAX, allow_blank=True)


class ContactSerializer(serializers.Serializer[Any]):
    user = UserSerializer()
    alias = serializers.CharField()
    created_at = TimeField()


class IncomingRequestSerializer(serializers.Serializer[Any]):
    user = UserSerializer(source="sender")
    created_at = TimeField()


class OutgoingRequestSerializer(serializers.Serializer[Any]):
    user = UserSerializer(source="receiver")
    created_at = TimeField()


class BlockSerializer(serializers.Serializer[Any]):
    user = UserSerializer(source="blocked")
    created_at = TimeField()


class UserCardSerializer(UserSerializer):
    """A user as the viewer may see them; `alias` is the viewer's own name for a contact."""

    about = serializers.CharField()
    is_contact = serializers.BooleanField()
    alias = serializers.CharField()
