"""The REST API of accounts."""

from accounts.views.auth import (
    ChangePasswordView,
    ConfirmEmailView,
    LoginView,
    LogoutView,
    RefreshView,
    RegisterView,
    RequestResetView,
    ResendView,
    ResetPasswordView,
    TicketView,
)
from accounts.views.me import MeView, NoticeSeenView, NoticesView
from accounts.views.sessions import SessionsView, SessionView

__all__ = [
    "ChangePasswordView",
    "ConfirmEmailView",
    "LoginView",
    "LogoutView",
    "MeView",
    "NoticeSeenView",
    "NoticesView",
    "RefreshView",
    "RegisterView",
    "RequestResetView",
    "ResendView",
    "ResetPasswordView",
    "SessionView",
    "SessionsView",
    "TicketView",
]
