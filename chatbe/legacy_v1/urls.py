"""Mounted at /v1/. Every address works with and without a slash at its end."""

from django.urls import path

from chatbe.legacy_v1 import group_views, views

_VIEWS = {
    "auth/register": views.LegacyV1RegisterView,
    "auth/login": views.LegacyV1LoginView,
    "auth/token": views.LegacyV1TokenView,
    "auth/logout": views.LegacyV1LogoutView,
    "contact": views.LegacyV1ContactsView,
    "contact/add": views.LegacyV1AddContactView,
    "groups": group_views.LegacyV1GroupsView,
    "groups/add": group_views.LegacyV1AddMembersView,
    "groups/remove": group_views.LegacyV1RemoveMemberView,
    "messages": views.LegacyV1PrivateMessagesView,
    "messages/friend": views.LegacyV1FriendMessagesView,
    "messages/group": group_views.LegacyV1GroupMessagesView,
}

urlpatterns = [
    path(f"{address}{slash}", view.as_view())
    for address, view in _VIEWS.items()
    for slash in ("", "/")
]
