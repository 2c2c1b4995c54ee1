from django.apps import AppConfig


class ConversationsConfig(AppConfig):
    name = "conversations"

    def ready(self) -> None:
        from accounts.signals import user_deleted, user_deleting
        from chatbe.realtime.sources import register_log_source
        from contacts.signals import pair_changed
        from conversations.selectors.source import DatabaseLogSource
        from conversations.services.direct import close_directs, direct_peers, follow_pair

        register_log_source(DatabaseLogSource())
        pair_changed.connect(follow_pair, dispatch_uid="conversations.follow_pair")
        user_deleting.connect(direct_peers, dispatch_uid="conversations.direct_peers")
        user_deleted.connect(close_directs, dispatch_uid="conversations.close_directs")
