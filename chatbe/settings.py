"""Settings, all from the environment. `docs/settings.md` is the table of them.

With nothing set this is the embedded default: SQLite in WAL, the in-memory layer,
one process, everything under DATA_DIR. DATABASE_URL and REDIS_URL make it any
number of processes. PRODUCTION turns the start-up check on
(`chatbe.server.checks`), which refuses unsafe settings.
"""

import sys
from pathlib import Path
from typing import Any

from django.templatetags.static import static
from django.urls import reverse

from common import data_dir
from common.environment import Environment
from common.hosts import normal_allowed_host, normal_origin
from common.postgres import PostgresConnection
from common.secrets_file import read_or_create

BASE_DIR = Path(__file__).resolve().parent.parent

env = Environment(
    # --- the installation
    PRODUCTION=(bool, False),
    DATA_DIR=(str, str(BASE_DIR / "var")),
    SECRET_KEY=(str, ""),
    SIGNING_KEYS=(list, []),
    CONTENT_HASH_KEY=(str, ""),
    DEBUG=(bool, False),
    ALLOWED_HOSTS=(list, []),
    CSRF_TRUSTED_ORIGINS=(list, []),
    CORS_ALLOWED_ORIGINS=(list, []),
    TRUSTED_PROXIES=(list, []),
    ADMIN_PATH=(str, "admin/"),
    ADMIN_SECOND_FACTOR=(str, ""),
    TIME_ZONE=(str, "UTC"),
    LOG_LEVEL=(str, "INFO"),
    LOG_FORMAT=(str, ""),
    # --- the database and Redis
    DATABASE_URL=(str, ""),
    DATABASE_POOL_SIZE=(int, 24),
    DATABASE_THREADS=(int, 8),
    DATABASE_LOCK_TIMEOUT_SECONDS=(float, 5.0),
    DATABASE_STATEMENT_TIMEOUT_SECONDS=(float, 20.0),
    SQLITE_MEMORY_BYTES=(int, 64 * 1024 * 1024),
    ALLOW_UNSAFE_DATABASE=(bool, False),
    REDIS_URL=(str, ""),
    # --- the message log and the hub
    LOG_TOPICS=(int, 1),
    WRITER_THREADS=(int, 1),
    LOG_BATCH_MAX=(int, 256),
    LOG_QUEUE_MAX=(int, 20_000),
    LOG_UNKNOWN_OUTCOME_SECONDS=(float, 10.0),
    RECEIPT_SECONDS=(float, 1.0),
    SWEEP_SECONDS=(float, 5.0),
    MEMBERSHIP_SWEEP_SECONDS=(float, 30.0),
    SYNC_SECONDS=(float, 60.0),
    SYNC_CURSORS_MAX=(int, 10_000),
    REPLAY_MAX=(int, 500),
    PAGE_BYTES=(int, 512 * 1024),
    RETENTION_DIRECT_DAYS=(int, 0),
    RETENTION_GROUP_DAYS=(int, 0),
    # --- accounts
    ACCESS_TOKEN_SECONDS=(int, 600),
    SESSION_DAYS=(int, 60),
    REFRESH_GRACE_SECONDS=(int, 30),
    TICKET_SECONDS=(int, 30),
    PASSWORD_HASH_KIB=(int, 102_400),
    PASSWORD_QUEUE_MAX=(int, 64),
    PASSWORD_QUEUE_SECONDS=(float, 10.0),
    EMAIL_CONFIRMATION=(bool, False),
    EMAIL_CODE_SECONDS=(int, 172_800),
    PASSWORD_RESET_SECONDS=(int, 3_600),
    LOGIN_ATTEMPTS_PER_ACCOUNT=(str, "10/15minutes"),
    LOGIN_ATTEMPTS_PER_ADDRESS=(str, "100/15minutes"),
    REGISTRATIONS_PER_ADDRESS=(str, "100/hour"),
    # --- mail
    EMAIL_URL=(str, ""),
    DEFAULT_FROM_EMAIL=(str, "chat@localhost"),
    PUBLIC_URL=(str, ""),
    MAILS_PER_RECIPIENT=(str, "5/hour"),
    MAIL_REQUESTS_PER_ADDRESS=(str, "20/hour"),
    # --- contacts
    CONTACT_POLICY=(str, "mutual"),
    CONTACT_REQUESTS_PER_USER=(str, "50/hour"),
    CONTACT_REQUEST_PAUSE_DAYS=(int, 30),
    USER_SEARCHES_PER_USER=(str, "600/hour"),
    # --- groups
    GROUP_MEMBERS_MAX=(int, 1_024),
    GROUPS_PER_USER=(str, "30/hour"),
    GROUP_ADDS_PER_USER=(str, "2000/hour"),
    GROUP_ADDS_PER_PAIR=(str, "5/hour"),
    GROUP_ADDS_PER_ADDED=(str, "20/hour"),
    INVITATION_ATTEMPTS_PER_USER=(str, "100/hour"),
    # --- chatbot
    CHATBOT_USERNAME=(str, "assistant"),
    CHATBOT_DISPLAY_NAME=(str, "Assistant"),
    CHATBOT_BASE_URL=(str, ""),
    CHATBOT_API_KEY=(str, ""),
    CHATBOT_MODEL=(str, ""),
    CHATBOT_SYSTEM_PROMPT=(str, ""),
    CHATBOT_MAX_TOKENS=(int, 1_000),
    CHATBOT_CONTEXT_MESSAGES=(int, 30),
    CHATBOT_CONTEXT_CHARACTERS=(int, 12_000),
    CHATBOT_QUESTIONS_PER_USER=(int, 200),
    CHATBOT_QUESTIONS_PER_CONVERSATION=(int, 400),
    CHATBOT_QUESTIONS_PER_DAY=(int, 5_000),
    CHATBOT_CONCURRENCY=(int, 4),
    CHATBOT_CONNECT_SECONDS=(float, 5.0),
    CHATBOT_FIRST_BYTE_SECONDS=(float, 30.0),
    CHATBOT_BETWEEN_SECONDS=(float, 15.0),
    CHATBOT_TOTAL_SECONDS=(float, 120.0),
    CHATBOT_LEASE_SECONDS=(float, 20.0),
    CHATBOT_WORKER_IN_SERVER=(bool, True),
    # --- moderation
    REPORTS_PER_USER=(str, "20/hour"),
    EVIDENCE_DAYS=(int, 90),
    BREAK_GLASS_SECONDS=(int, 1_800),
    # --- sockets and messages
    HELLO_SECONDS=(float, 10.0),
    ARRIVAL_QUEUE_MAX=(int, 20_000),
    ARRIVAL_QUEUE_SECONDS=(float, 30.0),
    PING_SECONDS=(float, 20.0),
    DRAIN_SECONDS=(float, 10.0),
    FRAME_BYTES_BEFORE_WELCOME=(int, 4 * 1024),
    FRAME_BYTES=(int, 128 * 1024),
    TEXT_MAX_CHARACTERS=(int, 8_000),
    TEXT_MAX_BYTES=(int, 32 * 1024),
    UNANSWERED_PER_SOCKET=(int, 64),
    SOCKETS_PER_USER=(int, 10),
    HELLOS_PER_ADDRESS=(str, "2000+50/second"),
    COMMANDS_PER_SOCKET=(str, "200+20/second"),
    COMMANDS_REFUSED_PER_SOCKET=(str, "1000+10/second"),
    COMMANDS_PER_USER=(str, "400+30/second"),
    FRAMES_PER_SOCKET=(str, "1000+50/second"),
    MESSAGES_PER_CONVERSATION=(str, "200+50/second"),
    SOCKET_UNREAD_BYTES=(int, 256 * 1024),
    SOCKET_STALL_BYTES=(int, 1024 * 1024),
    SOCKET_STALL_SECONDS=(float, 10.0),
    PRESENCE_LEASE_SECONDS=(float, 60.0),
    # --- REST
    REQUEST_QUEUE_MAX=(int, 512),
    REQUEST_QUEUE_SECONDS=(float, 5.0),
    REST_READS_PER_USER=(str, "600+20/second"),
    REST_WRITES_PER_USER=(str, "200+10/second"),
    REST_READS_PER_ADDRESS=(str, "6000+300/second"),
    REST_WRITES_PER_ADDRESS=(str, "2000+100/second"),
    # --- HTTP
    HTTP_HEAD_BYTES=(int, 32 * 1024),
    HTTP_BODY_BYTES=(int, 256 * 1024),
    HTTP_BODY_SECONDS=(float, 30.0),
    HTTP_ANSWER_SECONDS=(float, 20.0),
    HTTP_CONNECTIONS_MAX=(int, 10_000),
    HTTP_BODIES_BYTES=(int, 32 * 1024 * 1024),
    HTTP_ANSWERS_BYTES=(int, 64 * 1024 * 1024),
    # --- the legacy v1 API
    COMPAT_ENABLED=(bool, True),
    COMPAT_TICKET_SECONDS=(int, 120),
    COMPAT_PING_SECONDS=(float, 15.0),
    COMPAT_SHOW_EMAILS=(bool, False),
    COMPAT_LIST_BYTES=(int, 2 * 1024 * 1024),
    # --- metrics
    METRICS_TOKEN=(str, ""),
    METRICS_ADDRESSES=(list, []),
    # --- tests of faults only
    FAILPOINTS=(list, []),
)

PRODUCTION = env("PRODUCTION")
DEBUG = env("DEBUG")
# A relative one is the same wherever a command is started from.
DATA_DIR = BASE_DIR / Path(env("DATA_DIR") or "var").expanduser()
data_dir.prepare(DATA_DIR, database=None if env("DATABASE_URL") else DATA_DIR / "chat.sqlite3")

# Without PRODUCTION missing secrets are made once and kept beside the data. With it
# they stay unset, and the start-up check says so together with all else that is wrong.
# (Django itself refuses an empty SECRET_KEY, before anything else could be said.)
NO_SECRET = "no secret was set"  # noqa: S105 - the absence of one
SECRET_KEY = env("SECRET_KEY") or (
    NO_SECRET if PRODUCTION else read_or_create(DATA_DIR, "secret_key")
)
SIGNING_KEYS: list[str] = env("SIGNING_KEYS")
CONTENT_HASH_KEY = env("CONTENT_HASH_KEY")
# Where the signing keys are if the environment has none.
SIGNING_KEYS_FILE = None if SIGNING_KEYS or PRODUCTION else DATA_DIR / "signing_key"
if SIGNING_KEYS_FILE is not None:
    # One a line; the first that was ever made has no name.
    SIGNING_KEYS = [
        key if ":" in key else "local:" + key
        for key in read_or_create(DATA_DIR, SIGNING_KEYS_FILE.name).split()
    ]
if not PRODUCTION:
    CONTENT_HASH_KEY = CONTENT_HASH_KEY or read_or_create(DATA_DIR, "content_hash_key")

ALLOWED_HOSTS: list[str] = [normal_allowed_host(host) for host in env("ALLOWED_HOSTS")] or (
    [] if PRODUCTION else ["localhost", "127.0.0.1", "[::1]", "testserver"]
)
# What is no origin stays as it is, for the start-up check to name.
CSRF_TRUSTED_ORIGINS: list[str] = [normal_origin(o) or o for o in env("CSRF_TRUSTED_ORIGINS")]
CORS_ALLOWED_ORIGINS: list[str] = [normal_origin(o) or o for o in env("CORS_ALLOWED_ORIGINS")]
TRUSTED_PROXIES: list[str] = env("TRUSTED_PROXIES")
ADMIN_PATH = env("ADMIN_PATH").strip("/") + "/"
ADMIN_SECOND_FACTOR = env("ADMIN_SECOND_FACTOR") or ("required" if PRODUCTION else "optional")
OTP_TOTP_ISSUER = "Chat admin"

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

# --- database -------------------------------------------------------------------

DATABASES: dict[str, dict[str, Any]]
if env("DATABASE_URL"):
    DATABASES = {"default": env.db_url("DATABASE_URL")}
    DATABASES["default"] |= {
        "CONN_MAX_AGE": 0,
        # A pool hands out connections that a database restart has cut, unless it looks.
        "CONN_HEALTH_CHECKS": True,
    }
    DATABASES["default"].setdefault("OPTIONS", {})
    DATABASES["default"]["OPTIONS"] |= {
        # Half of HELLO_SECONDS: a hello then still gets its `unavailable`.
        "pool": {
            "min_size": 2,
            "max_size": env("DATABASE_POOL_SIZE"),
            "timeout": 5,
            # The pool's own five minutes are how long it may sleep after a long outage.
            "reconnect_timeout": 5,
            "connection_class": PostgresConnection,
        },
        "connect_timeout": 5,
        # A line that is dead: while we wait for an answer, and while what we sent is on its way.
        "keepalives": 1,
        "keepalives_idle": 5,
        "keepalives_interval": 2,
        "keepalives_count": 3,
        "tcp_user_timeout": int(env("LOG_UNKNOWN_OUTCOME_SECONDS") * 1000),
    }
else:
    DATABASES = {
        "default": {
            "ENGINE": "common.sqlite",
            "NAME": DATA_DIR / "chat.sqlite3",
            # Each thread keeps its own: a file does not go away and come back.
            "CONN_MAX_AGE": None,
            "OPTIONS": {
                "transaction_mode": "IMMEDIATE",
                "timeout": 20,
                # Each thread has a connection with a cache of its own: what they hold together is
                # bounded for the whole process, and each uses its pages again beyond it.
                # Pages that many messages touch go back into the file once for all of them:
                # every 16 MB of log instead of every 4.
                "init_command": (
                    "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA cache_size=-32000;"
                    f" PRAGMA soft_heap_limit={env('SQLITE_MEMORY_BYTES')};"
                    " PRAGMA wal_autocheckpoint=4000;"
                    # What is deleted is overwritten, where that writes no other page.
                    " PRAGMA secure_delete=FAST;"
                ),
            },
            # A file, because threads with an in-memory database lock each other's tables.
            "TEST": {"NAME": DATA_DIR / "test.sqlite3"},
        }
    }
DATABASE_POOL_SIZE = env("DATABASE_POOL_SIZE")
DATABASE_THREADS = env("DATABASE_THREADS")
# Kept by PostgreSQL with our role: common/database_role.py.
DATABASE_LOCK_TIMEOUT_SECONDS = env("DATABASE_LOCK_TIMEOUT_SECONDS")
DATABASE_STATEMENT_TIMEOUT_SECONDS = env("DATABASE_STATEMENT_TIMEOUT_SECONDS")
SQLITE_MEMORY_BYTES = env("SQLITE_MEMORY_BYTES")
ALLOW_UNSAFE_DATABASE = env("ALLOW_UNSAFE_DATABASE")
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# --- Redis ----------------------------------------------------------------------

REDIS_URL = env("REDIS_URL")
CHANNEL_LAYERS: dict[str, dict[str, Any]]
if REDIS_URL:
    CHANNEL_LAYERS = {
        "default": {
            "BACKEND": "channels_redis.pubsub.RedisPubSubChannelLayer",
            "CONFIG": {
                "hosts": [
                    {
                        "address": REDIS_URL,
                        # redis-py would otherwise choose, and has changed its mind before.
                        "socket_timeout": 5,
                        "socket_connect_timeout": 2,
                        "max_connections": 16,
                        # With the newer one redis-py writes all it hears out for a log line.
                        "protocol": 2,
                    }
                ],
                "prefix": "chat",
            },
        }
    }
else:
    CHANNEL_LAYERS = {"default": {"BACKEND": "channels.layers.InMemoryChannelLayer"}}

# --- the message log and the hub --------------------------------------------------

LOG_TOPICS = env("LOG_TOPICS")
WRITER_THREADS = env("WRITER_THREADS")
LOG_BATCH_MAX = env("LOG_BATCH_MAX")
LOG_QUEUE_MAX = env("LOG_QUEUE_MAX")
LOG_UNKNOWN_OUTCOME_SECONDS = env("LOG_UNKNOWN_OUTCOME_SECONDS")
RECEIPT_SECONDS = env("RECEIPT_SECONDS")
SWEEP_SECONDS = env("SWEEP_SECONDS")
MEMBERSHIP_SWEEP_SECONDS = env("MEMBERSHIP_SWEEP_SECONDS")
SYNC_SECONDS = env("SYNC_SECONDS")
SYNC_CURSORS_MAX = env("SYNC_CURSORS_MAX")
REPLAY_MAX = env("REPLAY_MAX")
PAGE_BYTES = env("PAGE_BYTES")
RETENTION_DIRECT_DAYS = env("RETENTION_DIRECT_DAYS")
RETENTION_GROUP_DAYS = env("RETENTION_GROUP_DAYS")

# --- accounts ---------------------------------------------------------------------

AUTH_USER_MODEL = "accounts.User"
AUTHENTICATION_BACKENDS = ["accounts.backends.AccountBackend"]
PASSWORD_HASHERS = ["accounts.hashers.BoundedArgon2Hasher"]
PASSWORD_HASH_KIB = env("PASSWORD_HASH_KIB")
PASSWORD_QUEUE_MAX = env("PASSWORD_QUEUE_MAX")
PASSWORD_QUEUE_SECONDS = env("PASSWORD_QUEUE_SECONDS")
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator"},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "django.contrib.auth.password_validation.NumericPasswordValidator"},
]
ACCESS_TOKEN_SECONDS = env("ACCESS_TOKEN_SECONDS")
SESSION_DAYS = env("SESSION_DAYS")
REFRESH_GRACE_SECONDS = env("REFRESH_GRACE_SECONDS")
TICKET_SECONDS = env("TICKET_SECONDS")
EMAIL_CONFIRMATION = env("EMAIL_CONFIRMATION")
EMAIL_CODE_SECONDS = env("EMAIL_CODE_SECONDS")
PASSWORD_RESET_SECONDS = env("PASSWORD_RESET_SECONDS")
LOGIN_ATTEMPTS_PER_ACCOUNT = env("LOGIN_ATTEMPTS_PER_ACCOUNT")
LOGIN_ATTEMPTS_PER_ADDRESS = env("LOGIN_ATTEMPTS_PER_ADDRESS")
REGISTRATIONS_PER_ADDRESS = env("REGISTRATIONS_PER_ADDRESS")

# --- mail -------------------------------------------------------------------------

EMAIL_URL = env("EMAIL_URL")
# With no mail server a first try prints its emails. In production the terminal is a log,
# and the codes in emails are secrets.
vars().update(env.email_url_config(EMAIL_URL or f"{'dummy' if PRODUCTION else 'console'}mail://"))
EMAIL_TIMEOUT = 10
DEFAULT_FROM_EMAIL = env("DEFAULT_FROM_EMAIL")
PUBLIC_URL = env("PUBLIC_URL").rstrip("/")
MAILS_PER_RECIPIENT = env("MAILS_PER_RECIPIENT")
MAIL_REQUESTS_PER_ADDRESS = env("MAIL_REQUESTS_PER_ADDRESS")

# --- contacts ---------------------------------------------------------------------

CONTACT_POLICY = env("CONTACT_POLICY")
CONTACT_REQUESTS_PER_USER = env("CONTACT_REQUESTS_PER_USER")
CONTACT_REQUEST_PAUSE_DAYS = env("CONTACT_REQUEST_PAUSE_DAYS")
USER_SEARCHES_PER_USER = env("USER_SEARCHES_PER_USER")

# --- groups -----------------------------------------------------------------------

GROUP_MEMBERS_MAX = env("GROUP_MEMBERS_MAX")
GROUPS_PER_USER = env("GROUPS_PER_USER")
GROUP_ADDS_PER_USER = env("GROUP_ADDS_PER_USER")
GROUP_ADDS_PER_PAIR = env("GROUP_ADDS_PER_PAIR")
GROUP_ADDS_PER_ADDED = env("GROUP_ADDS_PER_ADDED")
INVITATION_ATTEMPTS_PER_USER = env("INVITATION_ATTEMPTS_PER_USER")

# --- chatbot ------------------------------------------------------------------------

CHATBOT_USERNAME = env("CHATBOT_USERNAME")
CHATBOT_DISPLAY_NAME = env("CHATBOT_DISPLAY_NAME")
CHATBOT_BASE_URL = env("CHATBOT_BASE_URL")
CHATBOT_API_KEY = env("CHATBOT_API_KEY")
CHATBOT_MODEL = env("CHATBOT_MODEL")
CHATBOT_SYSTEM_PROMPT = env("CHATBOT_SYSTEM_PROMPT")
CHATBOT_MAX_TOKENS = env("CHATBOT_MAX_TOKENS")
CHATBOT_CONTEXT_MESSAGES = env("CHATBOT_CONTEXT_MESSAGES")
CHATBOT_CONTEXT_CHARACTERS = env("CHATBOT_CONTEXT_CHARACTERS")
CHATBOT_QUESTIONS_PER_USER = env("CHATBOT_QUESTIONS_PER_USER")
CHATBOT_QUESTIONS_PER_CONVERSATION = env("CHATBOT_QUESTIONS_PER_CONVERSATION")
CHATBOT_QUESTIONS_PER_DAY = env("CHATBOT_QUESTIONS_PER_DAY")
CHATBOT_CONCURRENCY = env("CHATBOT_CONCURRENCY")
CHATBOT_CONNECT_SECONDS = env("CHATBOT_CONNECT_SECONDS")
CHATBOT_FIRST_BYTE_SECONDS = env("CHATBOT_FIRST_BYTE_SECONDS")
CHATBOT_BETWEEN_SECONDS = env("CHATBOT_BETWEEN_SECONDS")
CHATBOT_TOTAL_SECONDS = env("CHATBOT_TOTAL_SECONDS")
CHATBOT_LEASE_SECONDS = env("CHATBOT_LEASE_SECONDS")
CHATBOT_WORKER_IN_SERVER = env("CHATBOT_WORKER_IN_SERVER")

# --- moderation -------------------------------------------------------------------

REPORTS_PER_USER = env("REPORTS_PER_USER")
EVIDENCE_DAYS = env("EVIDENCE_DAYS")
BREAK_GLASS_SECONDS = env("BREAK_GLASS_SECONDS")

# --- sockets and messages -----------------------------------------------------------

HELLO_SECONDS = env("HELLO_SECONDS")
ARRIVAL_QUEUE_MAX = env("ARRIVAL_QUEUE_MAX")
ARRIVAL_QUEUE_SECONDS = env("ARRIVAL_QUEUE_SECONDS")
PING_SECONDS = env("PING_SECONDS")
DRAIN_SECONDS = env("DRAIN_SECONDS")
FRAME_BYTES_BEFORE_WELCOME = env("FRAME_BYTES_BEFORE_WELCOME")
FRAME_BYTES = env("FRAME_BYTES")
TEXT_MAX_CHARACTERS = env("TEXT_MAX_CHARACTERS")
TEXT_MAX_BYTES = env("TEXT_MAX_BYTES")
UNANSWERED_PER_SOCKET = env("UNANSWERED_PER_SOCKET")
SOCKETS_PER_USER = env("SOCKETS_PER_USER")
HELLOS_PER_ADDRESS = env("HELLOS_PER_ADDRESS")
COMMANDS_PER_SOCKET = env("COMMANDS_PER_SOCKET")
COMMANDS_REFUSED_PER_SOCKET = env("COMMANDS_REFUSED_PER_SOCKET")
COMMANDS_PER_USER = env("COMMANDS_PER_USER")
FRAMES_PER_SOCKET = env("FRAMES_PER_SOCKET")
MESSAGES_PER_CONVERSATION = env("MESSAGES_PER_CONVERSATION")
SOCKET_UNREAD_BYTES = env("SOCKET_UNREAD_BYTES")
SOCKET_STALL_BYTES = env("SOCKET_STALL_BYTES")
SOCKET_STALL_SECONDS = env("SOCKET_STALL_SECONDS")
PRESENCE_LEASE_SECONDS = env("PRESENCE_LEASE_SECONDS")
FAILPOINTS: list[str] = env("FAILPOINTS")

# --- REST -------------------------------------------------------------------------

REQUEST_QUEUE_MAX = env("REQUEST_QUEUE_MAX")
REQUEST_QUEUE_SECONDS = env("REQUEST_QUEUE_SECONDS")
REST_READS_PER_USER = env("REST_READS_PER_USER")
REST_WRITES_PER_USER = env("REST_WRITES_PER_USER")
REST_READS_PER_ADDRESS = env("REST_READS_PER_ADDRESS")
REST_WRITES_PER_ADDRESS = env("REST_WRITES_PER_ADDRESS")
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
    "DESCRIPTION": "REST interface. The socket describes itself at /api/socket-docs/.",
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

# --- HTTP -------------------------------------------------------------------------

HTTP_HEAD_BYTES = env("HTTP_HEAD_BYTES")
# Whatever may be said over a socket may be said over REST as well.
HTTP_BODY_BYTES = max(env("HTTP_BODY_BYTES"), FRAME_BYTES)
HTTP_BODY_SECONDS = env("HTTP_BODY_SECONDS")
HTTP_ANSWER_SECONDS = env("HTTP_ANSWER_SECONDS")
HTTP_CONNECTIONS_MAX = env("HTTP_CONNECTIONS_MAX")
HTTP_BODIES_BYTES = env("HTTP_BODIES_BYTES")
HTTP_ANSWERS_BYTES = env("HTTP_ANSWERS_BYTES")

# --- the legacy v1 API --------------------------------------------------------------

COMPAT_ENABLED = env("COMPAT_ENABLED")
COMPAT_TICKET_SECONDS = env("COMPAT_TICKET_SECONDS")
COMPAT_PING_SECONDS = env("COMPAT_PING_SECONDS")
COMPAT_SHOW_EMAILS = env("COMPAT_SHOW_EMAILS")
COMPAT_LIST_BYTES = env("COMPAT_LIST_BYTES")

# --- browsers -----------------------------------------------------------------------

CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": ["'none'"],
        "script-src": ["'self'"],
        "style-src": ["'self'"],
        "img-src": ["'self'", "data:"],
        "font-src": ["'self'"],
        "connect-src": ["'self'"],
        "form-action": ["'self'"],
        "base-uri": ["'none'"],
        "frame-ancestors": ["'none'"],
    }
}
# What the admin's theme needs beside it, on the admin's own pages only: Alpine evaluates
# the expressions in its attributes, the colours stand in a style element.
ADMIN_CONTENT_SECURITY_POLICY = {
    "script-src": ["'self'", "'unsafe-eval'"],
    "style-src": ["'self'", "'unsafe-inline'"],
}
X_FRAME_OPTIONS = "DENY"
SECURE_REFERRER_POLICY = "same-origin"
SECURE_CONTENT_TYPE_NOSNIFF = True
# TLS ends at the proxy (docs/deployment): only a configured proxy may say so.
SECURE_PROXY_SSL_HEADER = (
    ("HTTP_X_FORWARDED_PROTO", "https") if PRODUCTION and TRUSTED_PROXIES else None
)
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = PRODUCTION
SECURE_HSTS_SECONDS = 31_536_000 if PRODUCTION else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE_HSTS_PRELOAD = PRODUCTION

# --- language, time, files ------------------------------------------------------------

LANGUAGE_CODE = "en-us"
TIME_ZONE = env.time_zone("TIME_ZONE")
USE_I18N = True
USE_TZ = True
STATIC_URL = "static/"
STATIC_ROOT = DATA_DIR / "static"
STATICFILES_DIRS = [BASE_DIR / "static"]
# The server hands out files straight from the apps: nothing to collect before a start.
WHITENOISE_USE_FINDERS = True
# A tenth of a second of every start, and of every test client.
WHITENOISE_AUTOREFRESH = not PRODUCTION

# --- the admin --------------------------------------------------------------------------

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

# --- metrics and logs -----------------------------------------------------------------

METRICS_TOKEN = env("METRICS_TOKEN")
METRICS_ADDRESSES: list[str] = env("METRICS_ADDRESSES")
LOG_LEVEL = env.one_of("LOG_LEVEL", ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"))
LOG_FORMAT = env.one_of("LOG_FORMAT", ("json", "console", "")) or (
    "json" if PRODUCTION else "console"
)
# chatbe.server.logging configures structlog when the apps are ready.
LOGGING_CONFIG = None
