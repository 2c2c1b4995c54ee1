"""Mounted at /v1/. Every address works with and without a slash at its end."""

from django.urls import path

from chatbe.legacy_v1 import group_views, views

_VIEWS = {
    "auth/register": views.RegisterView,
    "auth/login": views.LoginView,
    "auth/token": views.TokenView,
    "auth/logout": views.LogoutView,
    "contact": views.ContactsView,
    "contact/add": views.AddContactView,
    "groups": group_views.GroupsView,
    "groups/add": group_views.AddMembersView,
    "groups/remove": group_views.RemoveMemberView,
    "messages": views.PrivateMessagesView,
    "messages/friend": views.FriendMessagesView,
    "messages/group": group_views.GroupMessagesView,
}

urlpatterns = [
    path(f"{address}{slash}", view.as_view())
    for address, view in _VIEWS.items()
    for slash in ("", "/")
]
