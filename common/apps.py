from django.apps import AppConfig


class CommonConfig(AppConfig):
    name = "common"
    # The table of the installation is named after it.
    label = "core"
