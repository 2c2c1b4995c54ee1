"""Mounted at /api/v1/."""

from django.urls import path

from groups import views

_GROUP = "groups/<str:conversation_id>"

urlpatterns = [
    path("groups", views.GroupsView.as_view(), name="groups"),
    path("groups/preview", views.PreviewView.as_view(), name="group-preview"),
    path("groups/join", views.JoinView.as_view(), name="group-join"),
    path(_GROUP, views.GroupView.as_view(), name="group"),
    path(f"{_GROUP}/leave", views.LeaveView.as_view(), name="group-leave"),
    path(f"{_GROUP}/transfer", views.TransferView.as_view(), name="group-transfer"),
    path(f"{_GROUP}/close", views.CloseView.as_view(), name="group-close"),
    path(f"{_GROUP}/members", views.MembersView.as_view(), name="group-members"),
    path(f"{_GROUP}/members/<str:user_id>", views.MemberView.as_view(), name="group-member"),
    path(f"{_GROUP}/invitations", views.InvitationsView.as_view(), name="group-invitations"),
    path(
        f"{_GROUP}/invitations/<str:invitation_id>",
        views.InvitationView.as_view(),
        name="group-invitation",
    ),
    path(f"{_GROUP}/join-requests", views.JoinRequestsView.as_view(), name="join-requests"),
    path(
        f"{_GROUP}/join-requests/<str:user_id>",
        views.JoinRequestView.as_view(),
        name="join-request",
    ),
    path(
        f"{_GROUP}/join-requests/<str:user_id>/approve",
        views.ApproveView.as_view(),
        name="join-request-approve",
    ),
]
