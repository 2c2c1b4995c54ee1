"""Settings of the baseline, from DATABASE_URL and REDIS_URL; without the latter: one process."""

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

# 0 is Django's default: every request opens a connection.
DATABASES = {
    "default": env.db_url("DATABASE_URL")
    | {"CONN_MAX_AGE": env.int("NAIVE_CONN_MAX_AGE", default=0)}
}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
# The default of 100, for a whole process, loses half of the events of this load.
CAPACITY = 10_000
REDIS_URL = env("REDIS_URL", default="")
CHANNEL_LAYERS = {
    "default": {
        "BACKEND": "channels_redis.core.RedisChannelLayer",
        "CONFIG": {
            # redis-py's own 5 s would end sockets in which nothing happens.
            "hosts": [{"address": REDIS_URL, "socket_timeout": None}],
            "capacity": CAPACITY,
        },
    }
    if REDIS_URL
    else {
        "BACKEND": "channels.layers.InMemoryChannelLayer",
        "CONFIG": {"capacity": CAPACITY},
    }
}
USE_TZ = True
