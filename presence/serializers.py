"""The JSON of presence."""

from typing import Any

from rest_framework import serializers

from common.rest.fields import IdField, TimeField


class PresenceSerializer(serializers.Serializer[Any]):
    """Whether a user is online, or when they were last seen."""

    user_id = IdField()
    online = serializers.BooleanField(
        allow_null=True, help_text="null while this server cannot tell"
    )
    last_seen = TimeField(
        allow_null=True, help_text="null while they are online, or if they do not show it"
    )


class PresencePageSerializer(serializers.Serializer[Any]):
    """A page of your contacts, and how many of all of them are online."""

    results = PresenceSerializer(many=True)
    next = serializers.CharField(allow_null=True)
    online_count = serializers.IntegerField()
    contacts_count = serializers.IntegerField()
