"""Mounted at /api/v1/."""

from django.urls import path

from contacts import views

urlpatterns = [
    path("contacts", views.ContactsView.as_view(), name="contacts"),
    path("contacts/<str:user_id>", views.ContactView.as_view(), name="contact"),
    path("blocks", views.BlocksView.as_view(), name="blocks"),
    path("blocks/<str:user_id>", views.BlockView.as_view(), name="block"),
]
