from django.apps import AppConfig


class ConversationsConfig(AppConfig):
    name = "conversations"

    def ready(self) -> None:
        from accounts.signals import user_status_changed, user_status_changing
        from contacts.signals import pair_changed
        from conversations.selectors.source import DatabaseLogSource
        from conversations.services.direct import (
            direct_peers,
            follow_pair,
            follow_user,
        )
        from realtime.sources import register_log_source

        register_log_source(DatabaseLogSource())
        pair_changed.connect(follow_pair, dispatch_uid="conversations.follow_pair")
        user_status_changing.connect(direct_peers, dispatch_uid="conversations.direct_peers")
        user_status_changed.connect(follow_user, dispatch_uid="conversations.follow_user")
