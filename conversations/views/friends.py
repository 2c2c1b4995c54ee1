"""The REST API of private messages, by friend."""

import msgspec
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.viewsets import ViewSet

from accounts.authentication import session_of
from common.errors import NotFound
from common.rest.fields import path_id
from common.rest.pagination import PAGE_PARAMETERS, read_limit, read_page, read_query
from common.rest.schema import operation
from conversations import serializers as shapes
from conversations.selectors.friends import access_friend_page, list_messages_by_friend
from conversations.views.pages import PLACES, read_log_page


class FriendMessagesViewSet(ViewSet):
    """All private messages, by friend."""

    @operation(parameters=PAGE_PARAMETERS, answers={200: shapes.FriendMessagesPageSerializer})
    def list(self, request: Request) -> Response:
        """Your private messages, grouped by friend: the newest 20 of each.

        Friends are ordered by latest activity; `limit` and `after` page over them.
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

    @operation(parameters=PLACES, answers={200: shapes.MessagePageSerializer}, refusals=[NotFound])
    def retrieve(self, request: Request, user_id: str) -> Response:
        """The private messages with one friend, paged like a conversation's history."""
        query = read_query(request, ("before", "after", "around", "limit"))
        page = access_friend_page(
            user_id=session_of(request).user_id,
            friend_id=path_id(user_id),
            read=lambda conversation_id: read_log_page(
                query,
                user_id=session_of(request).user_id,
                conversation_id=conversation_id,
                limit=read_limit(query),
            ),
        )
        return Response(
            {"results": [msgspec.to_builtins(m) for m in page.messages], "head": page.head}
        )
