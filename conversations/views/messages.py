"""The REST API of a conversation's log."""

from functools import partial

import msgspec
from django.http import HttpResponseBase
from drf_spectacular.utils import OpenApiParameter
from rest_framework import status
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.viewsets import ViewSet

from accounts.authentication import session_of
from common.errors import ClientIdReused, Forbidden, InvalidInput, NotFound, RateLimited, TooLarge
from common.rest.fields import path_id
from common.rest.pagination import PAGE_PARAMETERS, read_limit, read_query
from common.rest.schema import operation
from conversations import serializers as shapes
from conversations.log.pending_message import AppendResult
from conversations.selectors.log import (
    access_changes,
    access_message,
)
from conversations.services.edits import delete_message, edit_message
from conversations.services.sending import draft_message, queue_message
from conversations.views.answering import answer_with
from conversations.views.pages import PLACES, POSITION, read_log_page, read_position


class MessageViewSet(ViewSet):
    """The log of a conversation."""

    @operation(parameters=PLACES, answers={200: shapes.MessagePageSerializer}, refusals=[NotFound])
    def list(self, request: Request, conversation_id: str) -> Response:
        """A page of history, oldest first; without a position, the newest page."""
        query = read_query(request, ("before", "after", "around", "limit"))
        page = read_log_page(
            query,
            user_id=session_of(request).user_id,
            conversation_id=path_id(conversation_id),
            limit=read_limit(query),
        )
        return Response(
            {"results": [msgspec.to_builtins(m) for m in page.messages], "head": page.head}
        )

    @operation(
        request=shapes.SendMessageSerializer,
        answers={200: shapes.SentMessageSerializer, 201: shapes.MessageSerializer},
        refusals=[NotFound, Forbidden, ClientIdReused, TooLarge, RateLimited],
    )
    def create(self, request: Request, conversation_id: str) -> HttpResponseBase:
        """Send a message; answered once it is committed. 200 if it was stored before."""
        body = shapes.SendMessageSerializer(data=request.data)
        body.is_valid(raise_exception=True)
        draft = draft_message(
            sender_id=session_of(request).user_id,
            conversation_id=path_id(conversation_id),
            client_id=body.validated_data["client_id"],
            text=body.validated_data["text"],
            reply_to=body.validated_data.get("reply_to"),
        )

        def respond(sent: AppendResult) -> Response:
            code = status.HTTP_201_CREATED if sent.created else status.HTTP_200_OK
            return Response(msgspec.to_builtins(sent.answer), code)

        return answer_with(self, request, partial(queue_message, draft), respond)

    @operation(answers={200: shapes.MessageSerializer}, refusals=[NotFound])
    def retrieve(self, request: Request, conversation_id: str, seq: str) -> Response:
        """One message by its position."""
        found = access_message(
            user_id=session_of(request).user_id,
            conversation_id=path_id(conversation_id),
            seq=path_id(seq),
        )
        return Response(msgspec.to_builtins(found))

    @operation(
        request=shapes.EditMessageSerializer,
        answers={200: shapes.MessageSerializer},
        refusals=[NotFound, Forbidden, TooLarge],
    )
    def partial_update(self, request: Request, conversation_id: str, seq: str) -> Response:
        """Edit your own message."""
        body = shapes.EditMessageSerializer(data=request.data)
        body.is_valid(raise_exception=True)
        edited = edit_message(
            user_id=session_of(request).user_id,
            conversation_id=path_id(conversation_id),
            seq=path_id(seq),
            text=body.validated_data["text"],
        )
        return Response(msgspec.to_builtins(edited))

    @operation(answers={200: shapes.MessageSerializer}, refusals=[NotFound, Forbidden])
    def destroy(self, request: Request, conversation_id: str, seq: str) -> Response:
        """Delete your own message or, as a group's owner or admin, another's; its position stays."""
        deleted = delete_message(
            user_id=session_of(request).user_id,
            conversation_id=path_id(conversation_id),
            seq=path_id(seq),
        )
        return Response(msgspec.to_builtins(deleted))

    @operation(
        parameters=[
            OpenApiParameter("after", POSITION, required=True, description="The cursor."),
            PAGE_PARAMETERS[0],
        ],
        answers={200: shapes.ChangesSerializer},
        refusals=[NotFound],
    )
    def changes(self, request: Request, conversation_id: str) -> Response:
        """The changes after a cursor, as a range: authoritative for (after, to]."""
        query = read_query(request, ("after", "limit"))
        if "after" not in query:
            raise InvalidInput(fields={"after": "is required"})
        changes = access_changes(
            user_id=session_of(request).user_id,
            conversation_id=path_id(conversation_id),
            after=read_position(query, "after"),
            limit=read_limit(query),
        )
        return Response(
            {
                "conversation_id": conversation_id,
                "after": changes.after,
                "to": changes.to,
                "head": changes.head,
                "changes": [msgspec.to_builtins(m) for m in changes.messages],
            }
        )
