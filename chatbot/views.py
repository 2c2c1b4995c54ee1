"""The REST API of bots and their answers."""

import msgspec
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.viewsets import ViewSet

from accounts.authentication import session_of
from accounts.summaries import summaries_of
from chatbot import serializers as shapes
from chatbot.selectors import access_answers, list_bots
from chatbot.services.cancelling import cancel_answers
from common.errors import Forbidden, NotFound
from common.rest.fields import path_id
from common.rest.schema import operation


class BotsViewSet(ViewSet):
    """The bots."""

    @operation(answers={200: shapes.BotsSerializer})
    def list(self, request: Request) -> Response:
        """The bots of this server, by name. Every user may write to them without being a contact."""
        bots = summaries_of(list_bots(viewer_id=session_of(request).user_id))
        return Response({"results": [msgspec.to_builtins(bot) for bot in bots.values()]})


class AnswersViewSet(ViewSet):
    """The answers to a question."""

    @operation(answers={200: shapes.AnswersSerializer}, refusals=[NotFound])
    def list(self, request: Request, conversation_id: str, seq: str) -> Response:
        """The answers to the message at a position, with their texts so far."""
        found = access_answers(
            user_id=session_of(request).user_id,
            conversation_id=path_id(conversation_id),
            seq=path_id(seq),
        )
        return Response({"results": [msgspec.to_builtins(answer) for answer in found]})

    @operation(
        request=None, answers={200: shapes.AnswersSerializer}, refusals=[NotFound, Forbidden]
    )
    def cancel(self, request: Request, conversation_id: str, seq: str) -> Response:
        """Stop the answers to your own question. The text so far becomes the answer."""
        found = cancel_answers(
            user_id=session_of(request).user_id,
            conversation_id=path_id(conversation_id),
            seq=path_id(seq),
        )
        return Response({"results": [msgspec.to_builtins(answer) for answer in found]})
