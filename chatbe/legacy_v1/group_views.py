"""The REST door of /v1/: groups and their messages."""

from rest_framework import status
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.authentication import session_of
from chatbe.legacy_v1 import groups
from chatbe.legacy_v1.bodies import MembersBody, RemoveMemberBody, group_message_body, read_body
from chatbe.legacy_v1.selectors import newest_messages_of
from chatbe.legacy_v1.views import LegacyV1View, read_query


class LegacyV1GroupsView(LegacyV1View):
    def post(self, request: Request) -> Response:
        body = read_body(MembersBody, request)
        made = groups.make_group(
            user_id=session_of(request).user_id, name=body.name, members=body.members
        )
        return Response(made, status.HTTP_201_CREATED)


class LegacyV1AddMembersView(LegacyV1View):
    def put(self, request: Request) -> Response:
        body = read_body(MembersBody, request)
        changed = groups.add_to_group(
            user_id=session_of(request).user_id, name=body.name, members=body.members
        )
        return Response(changed, status.HTTP_201_CREATED)


class LegacyV1RemoveMemberView(LegacyV1View):
    def put(self, request: Request) -> Response:
        body = read_body(RemoveMemberBody, request)
        changed = groups.remove_from_group(
            user_id=session_of(request).user_id, name=body.name, username=body.userto_remove
        )
        return Response(changed, status.HTTP_201_CREATED)


class LegacyV1GroupMessagesView(LegacyV1View):
    def get(self, request: Request) -> Response:
        """The messages of one's group, oldest first."""
        user_id = session_of(request).user_id
        group_id = groups.access_group_named(user_id, read_query(request, "groupName"))
        found = newest_messages_of(user_id, group_id)
        return Response({"messages": [group_message_body(message) for message in found]})
