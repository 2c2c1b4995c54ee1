"""Groups over REST: create, read, change, leave, transfer, close."""

from typing import Any

from rest_framework import status
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.authentication import session_of
from common.errors import Conflict, Forbidden, NotFound, RateLimited
from common.rest.fields import path_id, read_body
from common.rest.schema import operation
from groups import serializers as shapes
from groups.permissions import Permission
from groups.selectors import access_group
from groups.services.groups import close_group, create_group, update_group
from groups.services.leaving import leave_group
from groups.services.members import transfer_group


class GroupsView(APIView):
    @operation(
        request=shapes.CreateGroupSerializer,
        answers={200: shapes.GroupDetailsSerializer, 201: shapes.GroupDetailsSerializer},
        refusals=[NotFound, Conflict, RateLimited],
    )
    def post(self, request: Request) -> Response:
        """Create a group, which you own, of users who let you add them; 200 on a retry."""
        access, created = create_group(
            user_id=session_of(request).user_id,
            **read_body(shapes.CreateGroupSerializer, request),
        )
        return Response(
            shapes.GroupDetailsSerializer(access).data,
            status.HTTP_201_CREATED if created else status.HTTP_200_OK,
        )


class GroupView(APIView):
    @operation(answers={200: shapes.GroupDetailsSerializer}, refusals=[NotFound])
    def get(self, request: Request, conversation_id: str) -> Response:
        """A group: how it is governed, and what you may do in it."""
        access = access_group(
            user_id=session_of(request).user_id,
            conversation_id=path_id(conversation_id),
            permission=Permission.READ,
        )
        return Response(shapes.GroupDetailsSerializer(access).data)

    @operation(
        request=shapes.UpdateGroupSerializer,
        answers={200: shapes.GroupDetailsSerializer},
        refusals=[NotFound, Forbidden, Conflict],
    )
    def patch(self, request: Request, conversation_id: str) -> Response:
        """Change the given settings, all or none. Each change appears in the log."""
        wanted: Any = read_body(shapes.UpdateGroupSerializer, request)
        access = update_group(
            user_id=session_of(request).user_id,
            conversation_id=path_id(conversation_id),
            **wanted,
        )
        return Response(shapes.GroupDetailsSerializer(access).data)


class LeaveView(APIView):
    @operation(answers={204: None}, refusals=[NotFound, Conflict])
    def post(self, request: Request, conversation_id: str) -> Response:
        """Leave a group. Its owner transfers it first, unless nobody else is left."""
        leave_group(user_id=session_of(request).user_id, conversation_id=path_id(conversation_id))
        return Response(status=status.HTTP_204_NO_CONTENT)


class TransferView(APIView):
    @operation(
        request=shapes.TransferSerializer,
        answers={204: None},
        refusals=[NotFound, Forbidden, Conflict],
    )
    def post(self, request: Request, conversation_id: str) -> Response:
        """Make another member the owner; you stay as an admin."""
        body = read_body(shapes.TransferSerializer, request)
        transfer_group(
            user_id=session_of(request).user_id,
            conversation_id=path_id(conversation_id),
            member_id=body["user_id"],
        )
        return Response(status=status.HTTP_204_NO_CONTENT)


class CloseView(APIView):
    @operation(answers={204: None}, refusals=[NotFound, Forbidden])
    def post(self, request: Request, conversation_id: str) -> Response:
        """Close a group permanently: it can be read and left, nothing else."""
        close_group(user_id=session_of(request).user_id, conversation_id=path_id(conversation_id))
        return Response(status=status.HTTP_204_NO_CONTENT)
