from django.apps import AppConfig


class OperationsConfig(AppConfig):
    name = "chatbe.operations"
    label = "operations"

    def ready(self) -> None:
        from chatbe.operations import checks  # noqa: F401 - registers the checks
        from chatbe.operations.logging import configure_logging

        configure_logging()
