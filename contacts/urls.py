"""Mounted at /api/v1/."""

from django.urls import path

from contacts import views

urlpatterns = [
    path("contacts", views.ContactsView.as_view(), name="contacts"),
    path("contacts/<str:user_id>", views.ContactView.as_view(), name="contact"),
    path(
        "contact-requests/incoming", views.IncomingRequestsView.as_view(), name="incoming-requests"
    ),
    path(
        "contact-requests/incoming/<str:user_id>",
        views.IncomingRequestView.as_view(),
        name="incoming-request",
    ),
    path(
        "contact-requests/incoming/<str:user_id>/accept",
        views.AcceptRequestView.as_view(),
        name="accept-request",
    ),
    path(
        "contact-requests/outgoing", views.OutgoingRequestsView.as_view(), name="outgoing-requests"
    ),
    path(
        "contact-requests/outgoing/<str:user_id>",
        views.OutgoingRequestView.as_view(),
        name="outgoing-request",
    ),
    path("blocks", views.BlocksView.as_view(), name="blocks"),
    path("blocks/<str:user_id>", views.BlockView.as_view(), name="block"),
    path("users", views.UsersView.as_view(), name="users"),
    path("users/<str:user_id>", views.UserView.as_view(), name="user"),
]
