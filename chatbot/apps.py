from django.apps import AppConfig
from django.db.models.signals import post_migrate


class ChatbotConfig(AppConfig):
    name = "chatbot"

    def ready(self) -> None:
        from accounts.signals import user_deleted
        from chatbot.receivers import forget_user, keep_default_bot

        post_migrate.connect(keep_default_bot, sender=self, dispatch_uid="chatbot.default_bot")
        user_deleted.connect(forget_user, dispatch_uid="chatbot.forget_user")
