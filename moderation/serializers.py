"""The JSON of reports."""

from typing import Any

from rest_framework import serializers

from common.ids import MAX_ID
from common.rest.fields import IdField, StrictSerializer, TimeField
from moderation.models import COMMENT_MAX, Report


class MakeReportSerializer(StrictSerializer):
    """A report of a message (`conversation_id` and `seq`) or of a user (`user_id`)."""

    conversation_id = IdField(required=False)
    seq = serializers.IntegerField(min_value=1, max_value=MAX_ID, required=False)
    user_id = IdField(required=False)
    reason = serializers.ChoiceField(choices=Report.Reason.choices)
    # Looser than the rule, which the service knows and explains.
    comment = serializers.CharField(
        max_length=4 * COMMENT_MAX, allow_blank=True, required=False, trim_whitespace=False
    )

    def validate(self, attrs: Any) -> Any:
        place = attrs.keys() & {"conversation_id", "seq", "user_id"}
        if place not in ({"conversation_id", "seq"}, {"user_id"}):
            raise serializers.ValidationError("say conversation_id and seq, or user_id")
        return attrs


class ReportSerializer(serializers.Serializer[Any]):
    id = IdField()
    kind = serializers.ChoiceField(choices=Report.Kind.choices)
    user_id = IdField()
    conversation_id = IdField(allow_null=True)
    seq = serializers.IntegerField(allow_null=True)
    reason = serializers.ChoiceField(choices=Report.Reason.choices)
    status = serializers.ChoiceField(choices=Report.Status.choices)
    created_at = TimeField()
