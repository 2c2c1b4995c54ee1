"""The members of a group over REST."""

from rest_framework import status
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.authentication import session_of
from common.errors import Conflict, Forbidden, NotFound, RateLimited
from common.rest.fields import path_id, read_body
from common.rest.pagination import PAGE_PARAMETERS, read_page
from common.rest.schema import operation
from groups import serializers as shapes
from groups.selectors import access_members
from groups.services.members import add_members, remove_member, set_role


class MembersView(APIView):
    @operation(
        parameters=PAGE_PARAMETERS,
        answers={200: shapes.MemberPageSerializer},
        refusals=[NotFound],
    )
    def get(self, request: Request, conversation_id: str) -> Response:
        """The members with their roles, by user id."""
        page = read_page(request)
        found = access_members(
            user_id=session_of(request).user_id,
            conversation_id=path_id(conversation_id),
            after=page.after,
            limit=page.limit,
        )
        return Response(
            {
                "results": shapes.MemberSerializer(found.members, many=True).data,
                "next": None if found.next is None else str(found.next),
            }
        )

    @operation(
        request=shapes.AddMembersSerializer,
        answers={200: shapes.AddedMembersSerializer},
        refusals=[NotFound, Forbidden, Conflict, RateLimited],
    )
    def post(self, request: Request, conversation_id: str) -> Response:
        """Add users who let you, all or none; existing members are left as they are."""
        added = add_members(
            user_id=session_of(request).user_id,
            conversation_id=path_id(conversation_id),
            **read_body(shapes.AddMembersSerializer, request),
        )
        return Response(shapes.AddedMembersSerializer({"added": added}).data)


class MemberView(APIView):
    @operation(
        request=shapes.SetRoleSerializer,
        answers={204: None},
        refusals=[NotFound, Forbidden, Conflict],
    )
    def patch(self, request: Request, conversation_id: str, user_id: str) -> Response:
        """Make a member an admin, or an admin a member."""
        set_role(
            user_id=session_of(request).user_id,
            conversation_id=path_id(conversation_id),
            member_id=path_id(user_id),
            **read_body(shapes.SetRoleSerializer, request),
        )
        return Response(status=status.HTTP_204_NO_CONTENT)

    @operation(answers={204: None}, refusals=[NotFound, Forbidden, Conflict])
    def delete(self, request: Request, conversation_id: str, user_id: str) -> Response:
        """Remove a member of a lower role. Nothing sent from now on reaches them."""
        remove_member(
            user_id=session_of(request).user_id,
            conversation_id=path_id(conversation_id),
            member_id=path_id(user_id),
        )
        return Response(status=status.HTTP_204_NO_CONTENT)
