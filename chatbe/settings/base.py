"""The installation: where it keeps its data, how it logs, what it measures."""

from pathlib import Path

from chatbe.settings.declare import env, section, setting

BASE_DIR = Path(__file__).resolve().parents[2]

section("The installation")

PRODUCTION: bool = setting(
    "PRODUCTION",
    bool,
    False,
    "boolean",
    "turns the check of all the following on, secure cookies and HSTS with it",
    production="set it to `true`",
)
# A relative one is the same wherever a command is started from.
DATA_DIR = (
    BASE_DIR
    / Path(
        setting(
            "DATA_DIR",
            str,
            str(BASE_DIR / "var"),
            "folder",
            (
                "the SQLite database and, without `PRODUCTION`, the secrets that were made; a relative "
                "one is below the project. It and its files are closed to other accounts at every start "
                "(a folder that others need too, such as `/tmp`, is left as it is, and only the files "
                "in it are closed)"
            ),
            shown="var",
        )
        or "var"
    ).expanduser()
)
DEBUG: bool = setting(
    "DEBUG",
    bool,
    False,
    "boolean",
    "Django's debug pages, which show settings and code",
    production="**must** be `false`",
)
ADMIN_PATH = (
    setting(
        "ADMIN_PATH",
        str,
        "admin/",
        "path",
        "where the [admin](admin.md) is",
        production="not empty",
    ).strip("/")
    + "/"
)
ADMIN_SECOND_FACTOR = setting(
    "ADMIN_SECOND_FACTOR",
    str,
    "",
    "`required` or `optional`",
    (
        "whether staff must set up a [second factor](admin.md#the-second-factor) before the "
        "admin shows them anything; if empty, `required` in production, else `optional`"
    ),
) or ("required" if PRODUCTION else "optional")
setting(
    "TIME_ZONE",
    str,
    "UTC",
    "zone name",
    "for the admin's pages; the interfaces always speak UTC",
)
TIME_ZONE = env.time_zone("TIME_ZONE")
setting(
    "LOG_LEVEL",
    str,
    "INFO",
    "level",
    "the least important lines that are logged",
)
LOG_LEVEL = env.one_of("LOG_LEVEL", ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"))
setting(
    "LOG_FORMAT",
    str,
    "",
    "`json` or `console`",
    "how lines look; if empty, `json` in production, else `console`",
)
LOG_FORMAT = env.one_of("LOG_FORMAT", ("json", "console", "")) or (
    "json" if PRODUCTION else "console"
)
# chatbe.server.logging configures structlog when the apps are ready.
LOGGING_CONFIG = None

section("Metrics")

METRICS_TOKEN = setting(
    "METRICS_TOKEN",
    str,
    "",
    "text",
    "who sends it as a bearer token may read `/metrics`",
    production="32 characters or more; without it and `METRICS_ADDRESSES` there is no `/metrics`",
)
METRICS_ADDRESSES: list[str] = setting(
    "METRICS_ADDRESSES",
    list,
    [],
    "list of addresses or networks",
    "who asks from there may read `/metrics`",
)

section("Tests of faults")

FAILPOINTS: list[str] = setting(
    "FAILPOINTS",
    list,
    [],
    "list of `name:probability`",
    "places at which a process ends itself, to prove that nothing is lost there",
    production="**must** be empty",
)

LANGUAGE_CODE = "en-us"
USE_I18N = True
USE_TZ = True
STATIC_URL = "static/"
STATIC_ROOT = DATA_DIR / "static"
STATICFILES_DIRS = [BASE_DIR / "static"]
# The server hands out files straight from the apps: nothing to collect before a start.
WHITENOISE_USE_FINDERS = True
# A tenth of a second of every start, and of every test client.
WHITENOISE_AUTOREFRESH = not PRODUCTION
