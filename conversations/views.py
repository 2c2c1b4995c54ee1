"""The REST door of conversations, their logs and receipts."""

from collections.abc import Mapping
from typing import Any

import msgspec
from drf_spectacular.utils import OpenApiParameter
from rest_framework import status
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.viewsets import ViewSet

from accounts.authentication import session_of
from chatbe.api.fields import path_id
from chatbe.api.pagination import PAGE_PARAMETERS, read_limit, read_page, read_query
from chatbe.api.schema import operation
from chatbe.core.errors import (
    ClientIdReused,
    Forbidden,
    InvalidInput,
    NotFound,
    RateLimited,
    TooLarge,
)
from conversations import serializers as shapes
from conversations.pointers import Move
from conversations.selectors.friends import access_friend_page, list_messages_by_friend
from conversations.selectors.lists import Entry, access_conversation, list_conversations
from conversations.selectors.log import (
    Page,
    access_changes,
    access_message,
    access_page_after,
    access_page_around,
    access_page_before,
)
from conversations.selectors.receipts import access_receipts
from conversations.services.direct import open_direct
from conversations.services.edits import delete_message, edit_message
from conversations.services.receipts import move_receipt
from conversations.services.sending import draft_message, send_message

_POSITION = {"type": "integer", "minimum": 0, "maximum": shapes.POSITION_MAX}
_LIMIT = PAGE_PARAMETERS[0]
_PLACES = [
    OpenApiParameter("before", _POSITION, description="Messages before this position."),
    OpenApiParameter("after", _POSITION, description="Messages after this position."),
    OpenApiParameter("around", _POSITION, description="Messages around this position."),
    _LIMIT,
]


class ConversationViewSet(ViewSet):
    """One's conversations."""

    @operation(parameters=PAGE_PARAMETERS, answers={200: shapes.ConversationPageSerializer})
    def list(self, request: Request) -> Response:
        """One's conversations with last message and unread count, newest activity first."""
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
        """The direct conversation with a contact; 201 if this call made it."""
        body = shapes.OpenDirectSerializer(data=request.data)
        body.is_valid(raise_exception=True)
        conversation_id, made = open_direct(
            user_id=session_of(request).user_id, other_id=body.validated_data["user_id"]
        )
        found = access_conversation(
            user_id=session_of(request).user_id, conversation_id=conversation_id
        )
        return Response(
            msgspec.to_builtins(found), status.HTTP_201_CREATED if made else status.HTTP_200_OK
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
    def move_receipt(self, request: Request, conversation_id: str) -> Response:
        """Move one's read or delivered pointer forward; what was read was delivered.

        Answered once it is written, which may take a second.
        """
        body = shapes.MoveReceiptSerializer(data=request.data)
        body.is_valid(raise_exception=True)
        user_id, place = session_of(request).user_id, path_id(conversation_id)
        moves = body.validated_data
        moved = move_receipt(
            Move(place, user_id, moves.get("read_seq", 0), moves.get("delivered_seq", 0))
        )
        return Response(
            {
                "conversation_id": conversation_id,
                "read_seq": moved.read_seq,
                "delivered_seq": moved.delivered_seq,
            }
        )

    @operation(
        parameters=PAGE_PARAMETERS,
        answers={200: shapes.MemberReceiptPageSerializer},
        refusals=[NotFound],
    )
    def receipts(self, request: Request, conversation_id: str) -> Response:
        """How far the members have read and received, by user id.

        `read_seq` is null where it is not shown. A page may hold fewer than `limit`.
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


class MessageViewSet(ViewSet):
    """The log of a conversation."""

    @operation(parameters=_PLACES, answers={200: shapes.MessagePageSerializer}, refusals=[NotFound])
    def list(self, request: Request, conversation_id: str) -> Response:
        """A page of history, oldest first; without a place, the newest one."""
        query = read_query(request, ("before", "after", "around", "limit"))
        page = _read_page(
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
        answers={200: shapes.MessageSerializer, 201: shapes.MessageSerializer},
        refusals=[NotFound, Forbidden, ClientIdReused, TooLarge, RateLimited],
    )
    def create(self, request: Request, conversation_id: str) -> Response:
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
        sent = send_message(draft)
        return Response(
            msgspec.to_builtins(sent.message),
            status.HTTP_201_CREATED if sent.fresh else status.HTTP_200_OK,
        )

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
        """Give one's own message another text."""
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
        """Empty a message, one's own or as an admin another's; its place stays."""
        deleted = delete_message(
            user_id=session_of(request).user_id,
            conversation_id=path_id(conversation_id),
            seq=path_id(seq),
        )
        return Response(msgspec.to_builtins(deleted))

    @operation(
        parameters=[
            OpenApiParameter("after", _POSITION, required=True, description="The cursor."),
            _LIMIT,
        ],
        answers={200: shapes.ChangesSerializer},
        refusals=[NotFound],
    )
    def changes(self, request: Request, conversation_id: str) -> Response:
        """What changed after a cursor, as a range: authoritative for (after, to]."""
        query = read_query(request, ("after", "limit"))
        if "after" not in query:
            raise InvalidInput(fields={"after": "is required"})
        changes = access_changes(
            user_id=session_of(request).user_id,
            conversation_id=path_id(conversation_id),
            after=_position(query, "after"),
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


class FriendMessagesViewSet(ViewSet):
    """All private messages, by friend."""

    @operation(parameters=PAGE_PARAMETERS, answers={200: shapes.FriendMessagesPageSerializer})
    def list(self, request: Request) -> Response:
        """One's private messages, grouped by friend: the newest 20 of each.

        Friends come by last activity; `limit` and `after` page over them.
        """
        page = read_page(request)
        groups = list_messages_by_friend(
            user_id=session_of(request).user_id, before=page.after, limit=page.limit + 1
        )
        shown = groups[: page.limit]
        return Response(
            {
                "results": [msgspec.to_builtins(group.body) for group in shown],
                "next": str(shown[-1].activity) if len(groups) > page.limit else None,
            }
        )

    @operation(parameters=_PLACES, answers={200: shapes.MessagePageSerializer}, refusals=[NotFound])
    def retrieve(self, request: Request, user_id: str) -> Response:
        """The private messages with one friend, paged like a conversation's history."""
        query = read_query(request, ("before", "after", "around", "limit"))
        page = access_friend_page(
            user_id=session_of(request).user_id,
            friend_id=path_id(user_id),
            read=lambda conversation_id: _read_page(
                query,
                user_id=session_of(request).user_id,
                conversation_id=conversation_id,
                limit=read_limit(query),
            ),
        )
        return Response(
            {"results": [msgspec.to_builtins(m) for m in page.messages], "head": page.head}
        )


def _page_of(entries: list[Entry], limit: int) -> dict[str, Any]:
    shown = entries[:limit]
    return {
        "results": [msgspec.to_builtins(entry.body) for entry in shown],
        "next": str(shown[-1].activity) if len(entries) > limit else None,
    }


def _read_page(query: Mapping[str, str], *, user_id: int, conversation_id: int, limit: int) -> Page:
    places = [name for name in ("before", "after", "around") if name in query]
    if len(places) > 1:
        raise InvalidInput(fields=dict.fromkeys(places, "say only one of these"))
    address = {"user_id": user_id, "conversation_id": conversation_id, "limit": limit}
    if "after" in query:
        return access_page_after(after=_position(query, "after"), **address)
    if "around" in query:
        return access_page_around(around=_position(query, "around"), **address)
    before = _position(query, "before") if "before" in query else shapes.POSITION_MAX
    return access_page_before(before=before, **address)


def _position(query: Mapping[str, str], name: str) -> int:
    text = query[name]
    if (
        not text.isascii()
        or not text.isdigit()
        or len(text) > 19
        or int(text) > shapes.POSITION_MAX
    ):
        raise InvalidInput(fields={name: "is not a position"})
    return int(text)
