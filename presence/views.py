"""The REST API of presence."""

from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.authentication import session_of
from common.errors import NotFound
from common.rest.fields import path_id
from common.rest.pagination import PAGE_PARAMETERS, read_page
from common.rest.schema import operation
from presence.selectors import access_status, list_statuses
from presence.serializers import PresencePageSerializer, PresenceSerializer


class PresencesView(APIView):
    @operation(parameters=PAGE_PARAMETERS, answers={200: PresencePageSerializer})
    def get(self, request: Request) -> Response:
        """Which of your contacts are online, and when the others were last seen, by user id."""
        page = read_page(request)
        found = list_statuses(viewer=session_of(request).user, after=page.after, limit=page.limit)
        return Response(
            {
                "results": PresenceSerializer(found.statuses, many=True).data,
                "next": None if found.next is None else str(found.next),
                "online_count": found.online_count,
                "contacts_count": found.contacts_count,
            }
        )


class UserPresenceView(APIView):
    @operation(answers={200: PresenceSerializer}, refusals=[NotFound])
    def get(self, request: Request, user_id: str) -> Response:
        """Whether a user is online, as far as they show it to you."""
        found = access_status(viewer=session_of(request).user, user_id=path_id(user_id))
        return Response(PresenceSerializer(found).data)
