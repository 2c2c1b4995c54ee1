from django.apps import AppConfig


class CoreConfig(AppConfig):
    name = "chatbe.core"
    label = "core"
