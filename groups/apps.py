from django.apps import AppConfig


class GroupsConfig(AppConfig):
    name = "groups"

    def ready(self) -> None:
        from accounts.signals import user_coming_or_going, user_deleted
        from groups.receivers import forget_user, who_inherits

        user_coming_or_going.connect(who_inherits, dispatch_uid="groups.who_inherits")
        user_deleted.connect(forget_user, dispatch_uid="groups.forget_user")
