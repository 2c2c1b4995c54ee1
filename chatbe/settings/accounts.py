"""Accounts and email."""

from chatbe.settings.base import PRODUCTION
from chatbe.settings.declare import env, section, setting

AUTH_USER_MODEL = "accounts.User"
AUTHENTICATION_BACKENDS = ["accounts.backends.AccountBackend"]
PASSWORD_HASHERS = ["accounts.hashers.BoundedArgon2Hasher"]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator"},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "django.contrib.auth.password_validation.NumericPasswordValidator"},
]

# What OWASP asks of Argon2id at least.
HASH_MIN_KIB = 19_456

section("Accounts")

ACCESS_TOKEN_SECONDS = setting(
    "ACCESS_TOKEN_SECONDS",
    int,
    600,
    "seconds",
    "how long an access token is good",
)
SESSION_DAYS = setting(
    "SESSION_DAYS",
    int,
    60,
    "days",
    "a session that is not refreshed for this long ends",
)
REFRESH_GRACE_SECONDS = setting(
    "REFRESH_GRACE_SECONDS",
    int,
    30,
    "seconds",
    ("a refresh token sent again within this time gets the same answer; later it ends its session"),
)
TICKET_SECONDS = setting(
    "TICKET_SECONDS",
    int,
    30,
    "seconds",
    "how long a socket ticket is good",
)
PASSWORD_HASH_KIB = setting(
    "PASSWORD_HASH_KIB",
    int,
    102_400,
    "KiB",
    (
        "memory that hashing one password takes; as many are hashed at a time as there are "
        "processors"
    ),
    production=f"at least {HASH_MIN_KIB}",
)
PASSWORD_QUEUE_MAX = setting(
    "PASSWORD_QUEUE_MAX",
    int,
    64,
    "passwords per process",
    (
        "the most that wait for their turn to be hashed; when it is full, the network with most "
        "in it gives way, or the newcomer is answered `unavailable`"
    ),
)
PASSWORD_QUEUE_SECONDS = setting(
    "PASSWORD_QUEUE_SECONDS",
    float,
    10.0,
    "seconds",
    "a request that has waited longer is answered `unavailable`",
)
EMAIL_CONFIRMATION = setting(
    "EMAIL_CONFIRMATION",
    bool,
    False,
    "boolean",
    (
        "addresses are taken as unconfirmed: nobody logs in by one, several accounts may name "
        "the same, and a taken one is not told"
    ),
)
EMAIL_CODE_SECONDS = setting(
    "EMAIL_CODE_SECONDS",
    int,
    172_800,
    "seconds",
    "how long a emailed code confirms an address",
)
PASSWORD_RESET_SECONDS = setting(
    "PASSWORD_RESET_SECONDS",
    int,
    3_600,
    "seconds",
    "how long a emailed code lets somebody set a new password",
)
LOGIN_ATTEMPTS_PER_ACCOUNT = setting(
    "LOGIN_ATTEMPTS_PER_ACCOUNT",
    str,
    "10/15minutes",
    "count/window",
    (
        "guesses at one account from one network, whichever of its logins is typed; five times "
        "as many from all together"
    ),
)
LOGIN_ATTEMPTS_PER_ADDRESS = setting(
    "LOGIN_ATTEMPTS_PER_ADDRESS",
    str,
    "100/15minutes",
    "count/window",
    "attempts to log in from one address",
)
REGISTRATIONS_PER_ADDRESS = setting(
    "REGISTRATIONS_PER_ADDRESS",
    str,
    "100/hour",
    "count/window",
    "accounts made from one address",
)

section("Email")

EMAIL_URL: str = setting(
    "EMAIL_URL",
    str,
    "",
    "`smtp+tls://user:password@host:587`",
    (
        "the mail server (`smtp`, `smtp+tls` or `smtp+ssl`); if empty, emails are printed to "
        "the terminal, and in production not sent at all"
    ),
    production="**must** with `EMAIL_CONFIRMATION`",
)
# With no mail server a first try prints its emails. In production the terminal is a log,
# and the codes in emails are secrets.
vars().update(env.email_url_config(EMAIL_URL or f"{'dummy' if PRODUCTION else 'console'}mail://"))
EMAIL_TIMEOUT = 10
DEFAULT_FROM_EMAIL = setting(
    "DEFAULT_FROM_EMAIL",
    str,
    "chat@localhost",
    "address",
    "who emails are from",
    production="an address your mail server may send from",
)
PUBLIC_URL = setting(
    "PUBLIC_URL",
    str,
    "",
    "`https://host/path`",
    (
        "your client's page: emails link to `…/confirm-email#<code>` and "
        "`…/reset-password#<code>` below it; if empty, they carry the code alone"
    ),
    production="https only",
).rstrip("/")
MAILS_PER_RECIPIENT = setting(
    "MAILS_PER_RECIPIENT",
    str,
    "5/hour",
    "count/window",
    "emails of one kind to one address; more are not sent, and nobody is told",
)
MAIL_REQUESTS_PER_ADDRESS = setting(
    "MAIL_REQUESTS_PER_ADDRESS",
    str,
    "20/hour",
    "count/window",
    "requests from one address that lead to an email",
)
