from django.apps import AppConfig
from django.db.models.signals import post_migrate


class ModerationConfig(AppConfig):
    name = "moderation"

    def ready(self) -> None:
        from accounts.signals import user_deleted
        from moderation.moderators import make_moderators
        from moderation.receivers import forget_user

        user_deleted.connect(forget_user, dispatch_uid="moderation.forget_user")
        post_migrate.connect(
            make_moderators, sender=self, dispatch_uid="moderation.make_moderators"
        )
