"""The devices that are logged in."""

from rest_framework import status
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts import selectors, services
from accounts.authentication import session_of
from accounts.serializers import SessionSerializer
from common.errors import NotFound
from common.rest.fields import path_id
from common.rest.pagination import PAGE_PARAMETERS, page_of, page_schema, read_page
from common.rest.schema import operation


class SessionsView(APIView):
    @operation(
        parameters=PAGE_PARAMETERS, answers={200: page_schema("SessionPage", SessionSerializer)}
    )
    def get(self, request: Request) -> Response:
        """List your devices that are logged in."""
        session = session_of(request)
        context = {"current_session_id": session.id}
        return Response(
            page_of(
                selectors.list_sessions(session.user_id),
                read_page(request),
                lambda rows: SessionSerializer(rows, many=True, context=context).data,
            )
        )

    @operation(operation_id="sessions_destroy_others", answers={204: None})
    def delete(self, request: Request) -> Response:
        """Log out all other devices."""
        services.end_other_sessions(session=session_of(request))
        return Response(status=status.HTTP_204_NO_CONTENT)


class SessionView(APIView):
    @operation(answers={204: None}, refusals=[NotFound])
    def delete(self, request: Request, session_id: str) -> Response:
        """Log out one device."""
        own = session_of(request)
        services.end_session(user_id=own.user_id, session_id=path_id(session_id))
        return Response(status=status.HTTP_204_NO_CONTENT)
