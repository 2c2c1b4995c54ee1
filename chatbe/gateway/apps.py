from django.apps import AppConfig


class GatewayConfig(AppConfig):
    """Where apps that do not know each other are joined."""

    name = "chatbe.gateway"
    label = "gateway"

    def ready(self) -> None:
        from accounts.signals import user_deleted
        from chatbe.gateway.presence.people import People
        from chatbe.gateway.presence.receivers import forget_user
        from presence.sources import register_people_source

        register_people_source(People())
        user_deleted.connect(forget_user, dispatch_uid="gateway.forget_user")
