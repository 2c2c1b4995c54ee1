from django.apps import AppConfig


class GroupsConfig(AppConfig):
    name = "groups"

    def ready(self) -> None:
        from accounts.signals import user_leaving
        from groups.receivers import forget_user

        user_leaving.connect(forget_user, dispatch_uid="groups.forget_user")
