"""The REST API of contacts, requests, blocks and the search for users."""

from drf_spectacular.utils import OpenApiParameter
from rest_framework import status
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.authentication import session_of
from accounts.names import LOGIN_MAX, USERNAME_MIN_EAST_ASIA
from common.errors import Conflict, InvalidInput, NotFound, RateLimited
from common.rest.fields import path_id
from common.rest.pagination import (
    PAGE_PARAMETERS,
    page_of,
    page_schema,
    read_limit,
    read_page,
    read_query,
)
from common.rest.schema import operation
from contacts import selectors, services
from contacts.models import ContactRequest
from contacts.serializers import (
    AddContactSerializer,
    AliasSerializer,
    BlockSerializer,
    ContactSerializer,
    IncomingRequestSerializer,
    OutgoingRequestSerializer,
    UserCardSerializer,
)


class ContactsView(APIView):
    @operation(
        parameters=PAGE_PARAMETERS, answers={200: page_schema("ContactPage", ContactSerializer)}
    )
    def get(self, request: Request) -> Response:
        """Your contacts, in the order they were added."""
        rows = selectors.list_contacts(session_of(request).user_id)
        return Response(
            page_of(rows, read_page(request), lambda r: ContactSerializer(r, many=True).data)
        )

    @operation(
        request=AddContactSerializer,
        answers={
            200: ContactSerializer,
            201: ContactSerializer,
            202: OutgoingRequestSerializer,
        },
        refusals=[NotFound, Conflict, RateLimited],
    )
    def post(self, request: Request) -> Response:
        """Add a user as a contact, or ask them, depending on the server's policy.

        201 if they are a contact now, 200 if they were before, 202 if they have been asked.
        """
        body = AddContactSerializer(data=request.data)
        body.is_valid(raise_exception=True)
        row, is_new = services.add_contact(user=session_of(request).user, **body.validated_data)
        if isinstance(row, ContactRequest):
            return Response(OutgoingRequestSerializer(row).data, status.HTTP_202_ACCEPTED)
        return Response(
            ContactSerializer(row).data, status.HTTP_201_CREATED if is_new else status.HTTP_200_OK
        )


class ContactView(APIView):
    @operation(request=AliasSerializer, answers={200: ContactSerializer}, refusals=[NotFound])
    def patch(self, request: Request, user_id: str) -> Response:
        """Give a contact an alias that nobody else sees; an empty one removes it."""
        body = AliasSerializer(data=request.data)
        body.is_valid(raise_exception=True)
        contact = services.set_alias(
            user=session_of(request).user, other_id=path_id(user_id), **body.validated_data
        )
        return Response(ContactSerializer(contact).data)

    @operation(answers={204: None}, refusals=[NotFound])
    def delete(self, request: Request, user_id: str) -> Response:
        """Remove a contact, for both users."""
        services.remove_contact(user=session_of(request).user, other_id=path_id(user_id))
        return Response(status=status.HTTP_204_NO_CONTENT)


class IncomingRequestsView(APIView):
    @operation(
        parameters=PAGE_PARAMETERS,
        answers={200: page_schema("IncomingRequestPage", IncomingRequestSerializer)},
    )
    def get(self, request: Request) -> Response:
        """Users who have asked to be your contact."""
        rows = selectors.list_incoming(session_of(request).user_id)
        return Response(
            page_of(
                rows, read_page(request), lambda r: IncomingRequestSerializer(r, many=True).data
            )
        )


class IncomingRequestView(APIView):
    @operation(answers={204: None}, refusals=[NotFound])
    def delete(self, request: Request, user_id: str) -> Response:
        """Decline a request; the user who asked is not notified."""
        services.decline_request(user=session_of(request).user, other_id=path_id(user_id))
        return Response(status=status.HTTP_204_NO_CONTENT)


class AcceptRequestView(APIView):
    @operation(answers={200: ContactSerializer, 201: ContactSerializer}, refusals=[NotFound])
    def post(self, request: Request, user_id: str) -> Response:
        """Accept a request; 200 if you were contacts already."""
        contact, is_new = services.accept_request(
            user=session_of(request).user, other_id=path_id(user_id)
        )
        return Response(
            ContactSerializer(contact).data,
            status.HTTP_201_CREATED if is_new else status.HTTP_200_OK,
        )


class OutgoingRequestsView(APIView):
    @operation(
        parameters=PAGE_PARAMETERS,
        answers={200: page_schema("OutgoingRequestPage", OutgoingRequestSerializer)},
    )
    def get(self, request: Request) -> Response:
        """Your requests that were not answered yet."""
        rows = selectors.list_outgoing(session_of(request).user_id)
        return Response(
            page_of(
                rows, read_page(request), lambda r: OutgoingRequestSerializer(r, many=True).data
            )
        )


class OutgoingRequestView(APIView):
    @operation(answers={204: None}, refusals=[NotFound])
    def delete(self, request: Request, user_id: str) -> Response:
        """Withdraw your own request."""
        services.withdraw_request(user=session_of(request).user, other_id=path_id(user_id))
        return Response(status=status.HTTP_204_NO_CONTENT)


class BlocksView(APIView):
    @operation(parameters=PAGE_PARAMETERS, answers={200: page_schema("BlockPage", BlockSerializer)})
    def get(self, request: Request) -> Response:
        """The users you have blocked."""
        rows = selectors.list_blocks(session_of(request).user_id)
        return Response(
            page_of(rows, read_page(request), lambda r: BlockSerializer(r, many=True).data)
        )


class BlockView(APIView):
    @operation(answers={204: None}, refusals=[NotFound])
    def put(self, request: Request, user_id: str) -> Response:
        """Block a user; it ends the contact and withdraws requests."""
        services.block_user(user=session_of(request).user, other_id=path_id(user_id))
        return Response(status=status.HTTP_204_NO_CONTENT)

    @operation(answers={204: None}, refusals=[NotFound])
    def delete(self, request: Request, user_id: str) -> Response:
        """Unblock a user."""
        services.unblock_user(user=session_of(request).user, other_id=path_id(user_id))
        return Response(status=status.HTTP_204_NO_CONTENT)


class UsersView(APIView):
    @operation(
        operation_id="users_search",
        parameters=[
            OpenApiParameter(
                "username", str, description="The whole username; excludes the other parameters."
            ),
            OpenApiParameter(
                "prefix",
                {"type": "string", "minLength": USERNAME_MIN_EAST_ASIA, "maxLength": LOGIN_MAX},
                description="The beginning of usernames.",
            ),
            *PAGE_PARAMETERS,
        ],
        answers={200: page_schema("UserPage", UserCardSerializer)},
        refusals=[RateLimited],
    )
    def get(self, request: Request) -> Response:
        """Find a user by the whole username, or searchable users by its beginning."""
        viewer_id = session_of(request).user_id
        if "username" in request.query_params:
            query = read_query(request, ("username",))
            found = selectors.look_up_name(viewer_id=viewer_id, username=query["username"])
            return Response({"results": UserCardSerializer(found, many=True).data, "next": None})
        query = read_query(request, ("prefix", "limit", "after"))
        if "prefix" not in query:
            raise InvalidInput(fields={"prefix": "is required where there is no username"})
        limit = read_limit(query)
        found = selectors.search_names(
            viewer_id=viewer_id, prefix=query["prefix"], after=query.get("after"), limit=limit + 1
        )
        shown = found[:limit]
        return Response(
            {
                "results": UserCardSerializer(shown, many=True).data,
                "next": shown[-1].username if len(found) > limit else None,
            }
        )


class UserView(APIView):
    @operation(answers={200: UserCardSerializer}, refusals=[NotFound])
    def get(self, request: Request, user_id: str) -> Response:
        """One user, as far as they are shown to you."""
        card = selectors.access_card(
            viewer_id=session_of(request).user_id, user_id=path_id(user_id)
        )
        return Response(UserCardSerializer(card).data)
