from django.apps import AppConfig


class ServerConfig(AppConfig):
    name = "chatbe.server"

    def ready(self) -> None:
        from chatbe.server import checks  # noqa: F401 - registers the checks
        from chatbe.server.logging import configure_logging

        configure_logging()
