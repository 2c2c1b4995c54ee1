"""What Django, Django REST framework and the admin's theme are told: nothing to configure."""

import sys

from django.templatetags.static import static
from django.urls import reverse

from chatbe.settings.base import BASE_DIR

INSTALLED_APPS = [
    # Daphne's `runserver`, and ours around it. Whatever else starts does so a sixth faster
    # without Twisted.
    *(["chatbe.server.development", "daphne"] if "runserver" in sys.argv else []),
    "unfold.apps.BasicAppConfig",
    "chatbe.staff.apps.AdminConfig",
    # Before Django's: its `changepassword` knows nothing of sessions.
    "accounts",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django_otp",
    "django_otp.plugins.otp_totp",
    "django_otp.plugins.otp_static",
    "channels",
    "corsheaders",
    "csp",
    "rest_framework",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "common",
    "contacts",
    "presence",
    "conversations",
    "groups",
    "moderation",
    "chatbot",
    "chatbe.server",
    "chatbe.staff",
    "chatbe.ops",
]

MIDDLEWARE = [
    "chatbe.server.logging.RequestLogMiddleware",
    "chatbe.server.metrics_export.RequestMetricsMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "csp.middleware.CSPMiddleware",
    "corsheaders.middleware.CorsMiddleware",
    "chatbe.legacy_v1.middleware.LegacyV1ErrorsMiddleware",
    "common.rest.throttles.AddressLimitMiddleware",
    "common.rest.overload.CrowdingMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "chatbe.server.hosts.HostMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django_otp.middleware.OTPMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]

ROOT_URLCONF = "chatbe.urls"
ASGI_APPLICATION = "chatbe.asgi.application"
APPEND_SLASH = False

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]


REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["accounts.authentication.SessionTokenAuthentication"],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_RENDERER_CLASSES": ["drf_orjson_renderer.renderers.ORJSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["common.rest.parsers.JSONParser"],
    "DEFAULT_CONTENT_NEGOTIATION_CLASS": "common.rest.negotiation.Negotiation",
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "DEFAULT_THROTTLE_CLASSES": ["common.rest.throttles.UserThrottle"],
    "EXCEPTION_HANDLER": "common.rest.errors.exception_handler",
    "UNAUTHENTICATED_USER": None,
    "DATETIME_FORMAT": "%Y-%m-%dT%H:%M:%S.%fZ",
    "TEST_REQUEST_DEFAULT_FORMAT": "json",
}

SPECTACULAR_SETTINGS = {
    "TITLE": "Chat backend",
    "DESCRIPTION": "The REST API. The socket describes itself at /api/socket-docs/.",
    "VERSION": "1",
    "SERVE_INCLUDE_SCHEMA": False,
    "SERVE_AUTHENTICATION": [],
    "SERVE_PERMISSIONS": ["rest_framework.permissions.AllowAny"],
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "REDOC_DIST": "SIDECAR",
    "SCHEMA_PATH_PREFIX": "/api/v1",
    "COMPONENT_SPLIT_REQUEST": True,
    "ENUM_NAME_OVERRIDES": {"Audience": "accounts.choices.Audience"},
    "OAS_VERSION": "3.1.0",
}


UNFOLD = {
    "SITE_TITLE": "Chat admin",
    "SITE_HEADER": "Chat admin",
    "SHOW_VIEW_ON_SITE": False,
    "DASHBOARD_CALLBACK": "chatbe.staff.dashboard.add_figures",
    "ACCOUNT": {
        "navigation": [
            {"title": "Second factor", "link": lambda _request: reverse("admin:second_factor")}
        ]
    },
    "SITE_FAVICONS": [
        {
            "rel": "icon",
            "type": "image/svg+xml",
            "href": lambda _request: static("icon.svg"),
        }
    ],
}
