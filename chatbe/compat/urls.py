"""Mounted at /v1/. Every address works with and without a slash at its end."""

from django.urls import re_path

from chatbe.compat import views

urlpatterns = [
    re_path(r"^auth/register/?$", views.RegisterView.as_view()),
    re_path(r"^auth/login/?$", views.LoginView.as_view()),
    re_path(r"^auth/token/?$", views.TokenView.as_view()),
    re_path(r"^auth/logout/?$", views.LogoutView.as_view()),
    re_path(r"^contact/?$", views.ContactsView.as_view()),
    re_path(r"^contact/add/?$", views.AddContactView.as_view()),
    re_path(r"^messages/?$", views.PrivateMessagesView.as_view()),
    re_path(r"^messages/friend/?$", views.FriendMessagesView.as_view()),
]
