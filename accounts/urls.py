"""Mounted at /api/v1/."""

from django.urls import path

from accounts import views

urlpatterns = [
    path("auth/register", views.RegisterView.as_view(), name="register"),
    path("auth/login", views.LoginView.as_view(), name="login"),
    path("auth/refresh", views.RefreshView.as_view(), name="refresh"),
    path("auth/logout", views.LogoutView.as_view(), name="logout"),
    path("auth/ticket", views.TicketView.as_view(), name="ticket"),
    path("auth/email/confirm", views.ConfirmEmailView.as_view(), name="confirm-email"),
    path("auth/email/resend", views.ResendView.as_view(), name="resend-confirmation"),
    path("auth/password/change", views.ChangePasswordView.as_view(), name="change-password"),
    path("auth/password/reset", views.RequestResetView.as_view(), name="request-reset"),
    path("auth/password/reset/confirm", views.ResetPasswordView.as_view(), name="reset-password"),
    path("me", views.MeView.as_view(), name="me"),
    path("me/notices", views.NoticesView.as_view(), name="notices"),
    path("me/notices/<str:notice_id>/seen", views.NoticeSeenView.as_view(), name="notice-seen"),
    path("sessions", views.SessionsView.as_view(), name="sessions"),
    path("sessions/<str:session_id>", views.SessionView.as_view(), name="session"),
]
