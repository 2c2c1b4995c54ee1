"""The REST API of groups."""

from groups.views.groups import CloseView, GroupsView, GroupView, LeaveView, TransferView
from groups.views.invitations import (
    ApproveView,
    InvitationsView,
    InvitationView,
    JoinRequestsView,
    JoinRequestView,
    JoinView,
    PreviewView,
)
from groups.views.members import MembersView, MemberView

__all__ = [
    "ApproveView",
    "CloseView",
    "GroupView",
    "GroupsView",
    "InvitationView",
    "InvitationsView",
    "JoinRequestView",
    "JoinRequestsView",
    "JoinView",
    "LeaveView",
    "MemberView",
    "MembersView",
    "PreviewView",
    "TransferView",
]
