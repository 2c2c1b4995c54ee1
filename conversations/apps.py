from django.apps import AppConfig


class ConversationsConfig(AppConfig):
    name = "conversations"

    def ready(self) -> None:
        from chatbe.realtime.sources import register_log_source
        from contacts.signals import pair_changed
        from conversations.selectors.source import DatabaseLogSource
        from conversations.services.direct import follow_pair

        register_log_source(DatabaseLogSource())
        pair_changed.connect(follow_pair, dispatch_uid="conversations.follow_pair")
