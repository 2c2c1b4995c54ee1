"""Settings of the baseline, from DATABASE_URL and REDIS_URL."""

import environ

env = environ.Env()

SECRET_KEY = "baseline"  # noqa: S105  it signs nothing
ALLOWED_HOSTS = ["127.0.0.1"]
INSTALLED_APPS = [
    "daphne",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "channels",
    "benchmarks.naive",
]
ASGI_APPLICATION = "benchmarks.naive.asgi.application"

# 0 is what Django does unless told otherwise: a connection for each piece of work.
DATABASES = {
    "default": env.db_url("DATABASE_URL")
    | {"CONN_MAX_AGE": env.int("NAIVE_CONN_MAX_AGE", default=0)}
}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
CHANNEL_LAYERS = {
    "default": {
        "BACKEND": "channels_redis.core.RedisChannelLayer",
        "CONFIG": {
            # redis-py's own 5 s would end sockets in which nothing happens.
            "hosts": [{"address": env("REDIS_URL"), "socket_timeout": None}],
            # The default of 100, for a whole process, loses half of the events of this load.
            "capacity": 10_000,
        },
    }
}
USE_TZ = True
