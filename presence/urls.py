"""Mounted at /api/v1/."""

from django.urls import path

from presence import views

urlpatterns = [
    path("presence", views.PresencesView.as_view(), name="presences"),
    path("users/<str:user_id>/presence", views.UserPresenceView.as_view(), name="user-presence"),
]
