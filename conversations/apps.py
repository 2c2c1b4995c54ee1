from django.apps import AppConfig


class ConversationsConfig(AppConfig):
    name = "conversations"

    def ready(self) -> None:
        from accounts.signals import user_active_changed, user_coming_or_going, user_deleted
        from chatbe.realtime.sources import register_log_source
        from contacts.signals import pair_changed
        from conversations.selectors.source import DatabaseLogSource
        from conversations.services.direct import (
            close_directs,
            direct_peers,
            follow_pair,
            follow_user,
        )

        register_log_source(DatabaseLogSource())
        pair_changed.connect(follow_pair, dispatch_uid="conversations.follow_pair")
        user_coming_or_going.connect(direct_peers, dispatch_uid="conversations.direct_peers")
        user_active_changed.connect(follow_user, dispatch_uid="conversations.follow_user")
        user_deleted.connect(close_directs, dispatch_uid="conversations.close_directs")
