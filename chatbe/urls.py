"""All addresses."""

from django.conf import settings
from django.contrib import admin
from django.urls import include, path, re_path
from django.views.generic import RedirectView, TemplateView
from drf_spectacular.views import SpectacularSwaggerSplitView

from chatbe.api.schema_view import SchemaView
from chatbe.gateway.views import asyncapi, socket_docs
from chatbe.operations.health import healthz, readyz
from chatbe.operations.metrics import metrics_page

urlpatterns = [
    path("", TemplateView.as_view(template_name="index.html"), name="index"),
    path("healthz", healthz, name="healthz"),
    path("readyz", readyz, name="readyz"),
    path("metrics", metrics_page, name="metrics"),
    path(settings.ADMIN_PATH, admin.site.urls),
    path("api/schema", SchemaView.as_view(), name="schema"),
    path("api/docs/", SpectacularSwaggerSplitView.as_view(url_name="schema"), name="docs"),
    path("api/asyncapi.json", asyncapi, name="asyncapi"),
    path("api/socket-docs/", socket_docs, name="socket-docs"),
    path("api/v1/", include("accounts.urls")),
    path("api/v1/", include("contacts.urls")),
    path("api/v1/", include("conversations.urls")),
    path("api/v1/", include("groups.urls")),
    path("api/v1/", include("moderation.urls")),
    path("api/v1/", include("chatbe.gateway.presence.urls")),
    path("api/v1/", include("chatbot.urls")),
]

if settings.COMPAT_ENABLED:
    urlpatterns += [
        path("v1/", include("chatbe.compat.urls")),
        path("healthz/", healthz),
        path("metrics/", metrics_page),
        re_path(r"^swagger(?:/.*)?$", RedirectView.as_view(pattern_name="docs")),
    ]

handler404 = "chatbe.api.errors.not_found"
handler500 = "chatbe.api.errors.server_error"
