# One server of the product. It takes its settings from the environment (docs/settings.md) and
# writes nowhere but in /data. docs/deployment.md says how to run it.

# --- the packages, exactly those of the lock file; nothing is built, so no compiler is needed

FROM python:3.11.18-slim-bookworm AS packages

COPY requirements.txt /
RUN ["python", "-m", "venv", "/venv"]
RUN ["/venv/bin/pip", "install", "--no-cache-dir", "--disable-pip-version-check", "--require-hashes", "--only-binary", ":all:", "--requirement", "/requirements.txt"]
# Nobody installs anything later.
RUN ["/venv/bin/python", "-m", "pip", "uninstall", "--yes", "pip", "setuptools"]

# --- the server

FROM python:3.11.18-slim-bookworm

ARG VERSION=unknown
ARG REVISION=unknown
LABEL org.opencontainers.image.title="chatbe" \
      org.opencontainers.image.description="A self-hosted chat backend: REST and WebSocket" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"

# A number that is the same everywhere, for the owner of volumes.
RUN groupadd --gid 10001 chat \
 && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /data --shell /usr/sbin/nologin chat \
 && install --directory --owner=10001 --group=10001 --mode=0700 /data

COPY --from=packages /venv /venv
WORKDIR /app
COPY . .

ENV PATH=/venv/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    DATA_DIR=/data
# Compiled now: later the files cannot be written.
RUN ["python", "-m", "compileall", "-q", "/app"]

USER 10001:10001
VOLUME ["/data"]
EXPOSE 8000
STOPSIGNAL SIGTERM

HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --retries=3 \
    CMD ["python", "-c", "from urllib.request import urlopen; urlopen('http://127.0.0.1:8000/healthz', timeout=4)"]

# No shell in between, which would keep signals to itself. Migrating is a command of its own:
# `docker run … migrate`.
ENTRYPOINT ["python", "manage.py"]
CMD ["serve", "--host", "0.0.0.0", "--port", "8000"]
