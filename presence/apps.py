from django.apps import AppConfig


class PresenceConfig(AppConfig):
    name = "presence"

    def ready(self) -> None:
        from accounts.signals import user_deleted
        from presence.receivers import forget_user

        user_deleted.connect(forget_user, dispatch_uid="presence.forget_user")
