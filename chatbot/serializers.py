"""The shapes of answers for the OpenAPI document; answers are made of the Structs in `schemas.py`."""

from typing import Any

from rest_framework import serializers

from accounts.serializers import UserSerializer
from chatbot.models import Answer
from common.rest.fields import IdField


class AnswerSerializer(serializers.Serializer[Any]):
    conversation_id = IdField()
    question_seq = serializers.IntegerField()
    bot_id = IdField(help_text="the bot's user id")
    status = serializers.ChoiceField(Answer.Status.choices)
    text = serializers.CharField(help_text="the text so far; empty once the message is in the log")
    seq = serializers.IntegerField(allow_null=True, help_text="the position of the message")


class AnswersSerializer(serializers.Serializer[Any]):
    results = AnswerSerializer(many=True, help_text="one for each bot that was asked")


class BotsSerializer(serializers.Serializer[Any]):
    results = UserSerializer(many=True)
