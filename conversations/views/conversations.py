"""The REST API of conversations and receipts."""

from functools import partial
from typing import Any

import msgspec
from django.http import HttpResponseBase
from rest_framework import status
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.viewsets import ViewSet

from accounts.authentication import session_of
from common.errors import NotFound
from common.rest.fields import path_id
from common.rest.pagination import PAGE_PARAMETERS, read_page
from common.rest.schema import operation
from conversations import serializers as shapes
from conversations.log.pointers import Move, Moved
from conversations.selectors.entries import ListEntry
from conversations.selectors.lists import (
    access_conversation,
    list_conversations,
    within_bytes,
)
from conversations.selectors.receipts import access_receipts
from conversations.services.direct import open_direct
from conversations.services.receipts import queue_move
from conversations.views.answering import answer_with


class ConversationViewSet(ViewSet):
    """The conversations of the user."""

    @operation(parameters=PAGE_PARAMETERS, answers={200: shapes.ConversationPageSerializer})
    def list(self, request: Request) -> Response:
        """Your conversations with last message and unread count, latest activity first."""
        page = read_page(request)
        entries = list_conversations(
            user_id=session_of(request).user_id, before=page.after, limit=page.limit + 1
        )
        return Response(_page_of(entries, page.limit))

    @operation(
        request=shapes.OpenDirectSerializer,
        answers={200: shapes.ConversationSerializer, 201: shapes.ConversationSerializer},
        refusals=[NotFound],
    )
    def open_direct(self, request: Request) -> Response:
        """The direct conversation with a contact; 201 if this call created it."""
        body = shapes.OpenDirectSerializer(data=request.data)
        body.is_valid(raise_exception=True)
        conversation_id, is_new = open_direct(
            user_id=session_of(request).user_id, other_id=body.validated_data["user_id"]
        )
        found = access_conversation(
            user_id=session_of(request).user_id, conversation_id=conversation_id
        )
        return Response(
            msgspec.to_builtins(found), status.HTTP_201_CREATED if is_new else status.HTTP_200_OK
        )

    @operation(answers={200: shapes.ConversationSerializer}, refusals=[NotFound])
    def retrieve(self, request: Request, conversation_id: str) -> Response:
        """One conversation."""
        found = access_conversation(
            user_id=session_of(request).user_id, conversation_id=path_id(conversation_id)
        )
        return Response(msgspec.to_builtins(found))

    @operation(
        request=shapes.MoveReceiptSerializer,
        answers={200: shapes.ReceiptSerializer},
        refusals=[NotFound],
    )
    def move_receipt(self, request: Request, conversation_id: str) -> HttpResponseBase:
        """Move your read or delivered pointer forward; what was read was delivered.

        Answered once it is stored, which may take a second.
        """
        body = shapes.MoveReceiptSerializer(data=request.data)
        body.is_valid(raise_exception=True)
        user_id, conversation = session_of(request).user_id, path_id(conversation_id)
        moves = body.validated_data
        move = Move(conversation, user_id, moves.get("read_seq", 0), moves.get("delivered_seq", 0))

        def respond(moved: Moved) -> Response:
            return Response(
                {
                    "conversation_id": conversation_id,
                    "read_seq": moved.read_seq,
                    "delivered_seq": moved.delivered_seq,
                }
            )

        return answer_with(self, request, partial(queue_move, move), respond)

    @operation(
        parameters=PAGE_PARAMETERS,
        answers={200: shapes.MemberReceiptPageSerializer},
        refusals=[NotFound],
    )
    def receipts(self, request: Request, conversation_id: str) -> Response:
        """How far the members have read and received, by user id.

        `read_seq` is null if it is not shown to you. A page may hold fewer than `limit`.
        """
        page = read_page(request)
        found = access_receipts(
            user_id=session_of(request).user_id,
            conversation_id=path_id(conversation_id),
            after=page.after,
            limit=page.limit,
        )
        return Response(
            {
                "results": [msgspec.to_builtins(receipt) for receipt in found.receipts],
                "next": None if found.next is None else str(found.next),
            }
        )


def _page_of(entries: list[ListEntry], limit: int) -> dict[str, Any]:
    shown = list(within_bytes(entries[:limit]))
    return {
        "results": [msgspec.to_builtins(entry.body) for entry in shown],
        "next": str(shown[-1].activity) if len(entries) > len(shown) else None,
    }
