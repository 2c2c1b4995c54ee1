"""The REST door of contacts and blocks."""

from rest_framework import status
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.authentication import session_of
from chatbe.api.fields import path_id
from chatbe.api.pagination import PAGE_PARAMETERS, page_of, page_schema, read_page
from chatbe.api.schema import operation
from chatbe.core.errors import Conflict, NotFound
from contacts import selectors, services
from contacts.serializers import AddContactSerializer, BlockSerializer, ContactSerializer


class ContactsView(APIView):
    @operation(
        parameters=PAGE_PARAMETERS, answers={200: page_schema("ContactPage", ContactSerializer)}
    )
    def get(self, request: Request) -> Response:
        """One's contacts, in the order they were made."""
        rows = selectors.list_contacts(session_of(request).user_id)
        return Response(
            page_of(rows, read_page(request), lambda r: ContactSerializer(r, many=True).data)
        )

    @operation(
        request=AddContactSerializer,
        answers={201: ContactSerializer},
        refusals=[NotFound, Conflict],
    )
    def post(self, request: Request) -> Response:
        """Make somebody one's contact, and oneself theirs."""
        body = AddContactSerializer(data=request.data)
        body.is_valid(raise_exception=True)
        contact = services.add_contact(user=session_of(request).user, **body.validated_data)
        return Response(ContactSerializer(contact).data, status.HTTP_201_CREATED)


class ContactView(APIView):
    @operation(answers={204: None}, refusals=[NotFound])
    def delete(self, request: Request, user_id: str) -> Response:
        """End a contact, for both."""
        services.remove_contact(user=session_of(request).user, other_id=path_id(user_id))
        return Response(status=status.HTTP_204_NO_CONTENT)


class BlocksView(APIView):
    @operation(parameters=PAGE_PARAMETERS, answers={200: page_schema("BlockPage", BlockSerializer)})
    def get(self, request: Request) -> Response:
        """Whom one has blocked."""
        rows = selectors.list_blocks(session_of(request).user_id)
        return Response(
            page_of(rows, read_page(request), lambda r: BlockSerializer(r, many=True).data)
        )


class BlockView(APIView):
    @operation(answers={204: None}, refusals=[NotFound])
    def put(self, request: Request, user_id: str) -> Response:
        """Block somebody; a contact with them ends."""
        services.block_user(user=session_of(request).user, other_id=path_id(user_id))
        return Response(status=status.HTTP_204_NO_CONTENT)

    @operation(answers={204: None}, refusals=[NotFound])
    def delete(self, request: Request, user_id: str) -> Response:
        """Take a block back."""
        services.unblock_user(user=session_of(request).user, other_id=path_id(user_id))
        return Response(status=status.HTTP_204_NO_CONTENT)
