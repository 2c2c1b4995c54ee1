from django.apps import AppConfig
from django.db.models.signals import post_migrate


class ChatbotConfig(AppConfig):
    name = "chatbot"

    def ready(self) -> None:
        from chatbot.receivers import keep_default_bot

        post_migrate.connect(keep_default_bot, sender=self, dispatch_uid="chatbot.default_bot")
