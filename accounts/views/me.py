"""The user's own account: its fields, its notices and its deletion."""

from rest_framework import status
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts import selectors, services
from accounts.authentication import session_of
from accounts.serializers import (
    DeleteAccountSerializer,
    NoticeSerializer,
    OwnUserSerializer,
    UpdateProfileSerializer,
)
from common.addresses import request_address
from common.errors import Conflict, NotFound, RateLimited
from common.rest.fields import path_id, read_body
from common.rest.pagination import PAGE_PARAMETERS, page_of, page_schema, read_page
from common.rest.schema import operation


class MeView(APIView):
    @operation(answers={200: OwnUserSerializer})
    def get(self, request: Request) -> Response:
        """Your own account."""
        return Response(OwnUserSerializer(session_of(request).user).data)

    @operation(
        request=UpdateProfileSerializer,
        answers={200: OwnUserSerializer},
        refusals=[Conflict, RateLimited],
    )
    def patch(self, request: Request) -> Response:
        """Change some of your own fields; a new address needs the password."""
        user = services.update_profile(
            user=session_of(request).user,
            address=request_address(request),
            **read_body(UpdateProfileSerializer, request),
        )
        return Response(OwnUserSerializer(user).data)

    @operation(request=DeleteAccountSerializer, answers={204: None}, refusals=[RateLimited])
    def delete(self, request: Request) -> Response:
        """Delete your account permanently. The body holds the password: `{"password": "…"}`."""
        services.delete_account(
            user=session_of(request).user,
            address=request_address(request),
            **read_body(DeleteAccountSerializer, request),
        )
        return Response(status=status.HTTP_204_NO_CONTENT)


class NoticesView(APIView):
    @operation(
        parameters=PAGE_PARAMETERS, answers={200: page_schema("NoticePage", NoticeSerializer)}
    )
    def get(self, request: Request) -> Response:
        """Notices about your account, newest first."""
        rows = selectors.list_notices(session_of(request).user_id)
        return Response(
            page_of(
                rows,
                read_page(request),
                lambda r: NoticeSerializer(r, many=True).data,
                newest_first=True,
            )
        )


class NoticeSeenView(APIView):
    @operation(answers={204: None}, refusals=[NotFound])
    def put(self, request: Request, notice_id: str) -> Response:
        """Mark a notice as seen."""
        services.mark_notice_seen(user_id=session_of(request).user_id, notice_id=path_id(notice_id))
        return Response(status=status.HTTP_204_NO_CONTENT)
