"""Secrets, who is trusted, and what browsers are told."""

from chatbe.settings.base import DATA_DIR, PRODUCTION
from chatbe.settings.declare import section, setting
from common.hosts import normal_allowed_host, normal_origin
from common.secrets_file import read_or_create

# What the start-up check asks for in production, in characters and in bytes.
SECRET_MIN = 50
KEY_MIN_BYTES = 32

section("Security")

# Without PRODUCTION missing secrets are made once and kept beside the data. With it
# they stay unset, and the start-up check says so together with all else that is wrong.
# (Django itself refuses an empty SECRET_KEY, before anything else could be said.)
NO_SECRET = "no secret was set"  # noqa: S105 - the absence of one
SECRET_KEY = setting(
    "SECRET_KEY",
    str,
    "",
    "text",
    (
        "signs admin sessions, derives refresh tokens, keys the hashes of addresses in logs; "
        "made and kept in `DATA_DIR` if empty"
    ),
    production=f"**must**: {SECRET_MIN} random characters or more",
) or (NO_SECRET if PRODUCTION else read_or_create(DATA_DIR, "secret_key"))
SIGNING_KEYS: list[str] = setting(
    "SIGNING_KEYS",
    list,
    [],
    "list of `kid:secret`",
    "access tokens are signed with the first and accepted with any; made and kept if empty",
    production=f"**must**: secrets of {KEY_MIN_BYTES} bytes or more, other than `SECRET_KEY`",
)
CONTENT_HASH_KEY = setting(
    "CONTENT_HASH_KEY",
    str,
    "",
    "text",
    (
        "keys the hash that tells a retry from another message; never change it; made and kept "
        "if empty"
    ),
    production=f"**must**: {KEY_MIN_BYTES} characters or more",
)
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

ALLOWED_HOSTS: list[str] = [
    normal_allowed_host(host)
    for host in setting(
        "ALLOWED_HOSTS",
        list,
        [],
        "list of hosts",
        (
            "the names this server answers to, without ports; if empty, those of this machine. "
            "[Health and metrics](operations.md#health) answer under any"
        ),
        production="**must**, without wildcards",
    )
] or ([] if PRODUCTION else ["localhost", "127.0.0.1", "[::1]", "testserver"])
# What is no origin stays as it is, for the start-up check to name.
CSRF_TRUSTED_ORIGINS: list[str] = [
    normal_origin(o) or o
    for o in setting(
        "CSRF_TRUSTED_ORIGINS",
        list,
        [],
        "list of origins",
        "pages elsewhere that may post to the admin and open sockets",
        production="as the next one",
    )
]
CORS_ALLOWED_ORIGINS: list[str] = [
    normal_origin(o) or o
    for o in setting(
        "CORS_ALLOWED_ORIGINS",
        list,
        [],
        "list of origins",
        (
            "pages and apps elsewhere that may call REST and open sockets: "
            "`https://app.example.org`, `capacitor://localhost`, `tauri://localhost`, "
            "`chrome-extension://…`; never `null` or a file"
        ),
        production="not http, without wildcards",
    )
]
TRUSTED_PROXIES: list[str] = setting(
    "TRUSTED_PROXIES",
    list,
    [],
    "list of addresses or networks",
    "the proxies whose `X-Forwarded-For`, `-Proto`, `-Host` and `-Port` are believed",
    production="set it behind a proxy, or every client has the proxy's address",
)
OTP_TOTP_ISSUER = "Chat admin"

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
