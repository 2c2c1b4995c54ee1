from django.apps import AppConfig
from django.contrib.admin import apps as admin_apps


class OperationsConfig(AppConfig):
    name = "chatbe.operations"
    label = "operations"
    default = True

    def ready(self) -> None:
        from chatbe.operations import checks  # noqa: F401 - registers the checks
        from chatbe.operations.logging import configure_logging

        configure_logging()


class AdminConfig(admin_apps.AdminConfig):
    """Django's admin, on our site."""

    default = False
    default_site = "chatbe.operations.admin_site.ChatAdminSite"
