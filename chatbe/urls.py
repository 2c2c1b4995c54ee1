"""All addresses."""

from django.conf import settings
from django.contrib import admin
from django.urls import include, path, re_path
from django.views.generic import RedirectView, TemplateView
from drf_spectacular.views import SpectacularSwaggerSplitView

from chatbe.gateway.docs.views import asyncapi, socket_docs
from chatbe.server.health import healthz, readyz
from chatbe.server.metrics_export import metrics_page
from common.rest.schema_view import SchemaView

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
    path("api/v1/", include("presence.urls")),
    path("api/v1/", include("chatbot.urls")),
]

if settings.COMPAT_ENABLED:
    urlpatterns += [
        path("v1/", include("chatbe.legacy_v1.urls")),
        path("healthz/", healthz),
        path("metrics/", metrics_page),
        re_path(r"^swagger(?:/.*)?$", RedirectView.as_view(pattern_name="docs")),
    ]

handler404 = "common.rest.errors.not_found"
handler500 = "common.rest.errors.server_error"
