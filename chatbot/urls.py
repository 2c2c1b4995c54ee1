"""Mounted at /api/v1/."""

from django.urls import path

from chatbot.views import AnswersViewSet, BotsViewSet

urlpatterns = [
    path("bots", BotsViewSet.as_view({"get": "list"}), name="bots"),
    path(
        "conversations/<str:conversation_id>/answers/<str:seq>",
        AnswersViewSet.as_view({"get": "list"}),
        name="answers",
    ),
    path(
        "conversations/<str:conversation_id>/answers/<str:seq>/cancel",
        AnswersViewSet.as_view({"post": "cancel"}),
        name="cancel-answers",
    ),
]
