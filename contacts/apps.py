from django.apps import AppConfig


class ContactsConfig(AppConfig):
    name = "contacts"

    def ready(self) -> None:
        from accounts.signals import user_active_changed, user_coming_or_going, user_deleted
        from chatbe.realtime.sources import register_block_source
        from contacts.receivers import forget_user, tell_who_knows, who_knows
        from contacts.selectors import DatabaseBlockSource

        register_block_source(DatabaseBlockSource())
        user_coming_or_going.connect(who_knows, dispatch_uid="contacts.who_knows")
        user_active_changed.connect(tell_who_knows, dispatch_uid="contacts.tell_who_knows")
        user_deleted.connect(forget_user, dispatch_uid="contacts.forget_user")
