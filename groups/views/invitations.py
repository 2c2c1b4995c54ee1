"""Invitations and requests to join over REST.

Tokens are in bodies only, because URLs end up in logs.
"""

from rest_framework import status
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.authentication import session_of
from common.errors import Conflict, Forbidden, NotFound, RateLimited
from common.rest.fields import path_id, read_body
from common.rest.pagination import PAGE_PARAMETERS, page_of, page_schema, read_page
from common.rest.schema import operation
from groups import serializers as shapes
from groups.permissions import Permission
from groups.selectors import access_group, list_invitations, list_join_requests
from groups.services.invitations import create_invitation, revoke_invitation
from groups.services.joining import (
    approve_request,
    decline_request,
    join_group,
    preview_invitation,
)


class PreviewView(APIView):
    @operation(
        request=shapes.TokenSerializer,
        answers={200: shapes.PreviewSerializer},
        refusals=[NotFound, RateLimited],
    )
    def post(self, request: Request) -> Response:
        """Preview the group of an invitation; `not_found` if it is not valid."""
        body = read_body(shapes.TokenSerializer, request)
        preview = preview_invitation(user_id=session_of(request).user_id, **body)
        return Response(shapes.PreviewSerializer(preview).data)


class JoinView(APIView):
    @operation(
        request=shapes.TokenSerializer,
        answers={
            200: shapes.GroupDetailsSerializer,
            201: shapes.GroupDetailsSerializer,
            202: shapes.WaitingSerializer,
        },
        refusals=[NotFound, Forbidden, Conflict, RateLimited],
    )
    def post(self, request: Request) -> Response:
        """Join by an invitation: 201, or 200 if you are a member already.

        202 if the request needs approval; the group appears once it is approved.
        """
        arrival = join_group(
            user_id=session_of(request).user_id, **read_body(shapes.TokenSerializer, request)
        )
        if arrival.access is None:
            return Response(shapes.WaitingSerializer(arrival).data, status.HTTP_202_ACCEPTED)
        return Response(
            shapes.GroupDetailsSerializer(arrival.access).data,
            status.HTTP_201_CREATED if arrival.created else status.HTTP_200_OK,
        )


class InvitationsView(APIView):
    @operation(
        parameters=PAGE_PARAMETERS,
        answers={200: page_schema("InvitationPage", shapes.InvitationSerializer)},
        refusals=[NotFound, Forbidden, Conflict],
    )
    def get(self, request: Request, conversation_id: str) -> Response:
        """The invitations that were not revoked; only your own, unless you may manage all."""
        user_id, page = session_of(request).user_id, read_page(request)
        access = access_group(
            user_id=user_id,
            conversation_id=path_id(conversation_id),
            permission=Permission.INVITE,
        )
        rows = list_invitations(access, user_id)
        return Response(
            page_of(rows, page, lambda r: shapes.InvitationSerializer(r, many=True).data)
        )

    @operation(
        request=shapes.CreateInvitationSerializer,
        answers={201: shapes.NewInvitationSerializer},
        refusals=[NotFound, Forbidden, Conflict],
    )
    def post(self, request: Request, conversation_id: str) -> Response:
        """Create an invitation. Its token is shown only this once."""
        invitation, token = create_invitation(
            user_id=session_of(request).user_id,
            conversation_id=path_id(conversation_id),
            **read_body(shapes.CreateInvitationSerializer, request),
        )
        body = shapes.NewInvitationSerializer({"token": token, "invitation": invitation}).data
        return Response(body, status.HTTP_201_CREATED)


class InvitationView(APIView):
    @operation(answers={204: None}, refusals=[NotFound, Forbidden, Conflict])
    def delete(self, request: Request, conversation_id: str, invitation_id: str) -> Response:
        """Revoke an invitation: nobody can join by it any more."""
        revoke_invitation(
            user_id=session_of(request).user_id,
            conversation_id=path_id(conversation_id),
            invitation_id=path_id(invitation_id),
        )
        return Response(status=status.HTTP_204_NO_CONTENT)


class JoinRequestsView(APIView):
    @operation(
        parameters=PAGE_PARAMETERS,
        answers={200: page_schema("JoinRequestPage", shapes.JoinRequestSerializer)},
        refusals=[NotFound, Forbidden, Conflict],
    )
    def get(self, request: Request, conversation_id: str) -> Response:
        """The pending requests to join."""
        page = read_page(request)
        user_id, place = session_of(request).user_id, path_id(conversation_id)
        access_group(
            user_id=user_id, conversation_id=place, permission=Permission.MANAGE_INVITATIONS
        )
        rows = list_join_requests(user_id, place)
        return Response(
            page_of(rows, page, lambda r: shapes.JoinRequestSerializer(r, many=True).data)
        )


class JoinRequestView(APIView):
    @operation(answers={204: None}, refusals=[NotFound, Forbidden, Conflict])
    def delete(self, request: Request, conversation_id: str, user_id: str) -> Response:
        """Decline a request; the user who asked is not notified."""
        decline_request(
            user_id=session_of(request).user_id,
            conversation_id=path_id(conversation_id),
            asking_id=path_id(user_id),
        )
        return Response(status=status.HTTP_204_NO_CONTENT)


class ApproveView(APIView):
    @operation(answers={204: None}, refusals=[NotFound, Forbidden, Conflict])
    def post(self, request: Request, conversation_id: str, user_id: str) -> Response:
        """Approve a request: the user becomes a member."""
        approve_request(
            user_id=session_of(request).user_id,
            conversation_id=path_id(conversation_id),
            asking_id=path_id(user_id),
        )
        return Response(status=status.HTTP_204_NO_CONTENT)
