from django.apps import AppConfig


class ContactsConfig(AppConfig):
    name = "contacts"

    def ready(self) -> None:
        from accounts.signals import user_leaving, user_status_changed, user_status_changing
        from contacts.receivers import forget_pairs, forget_user, who_knows
        from contacts.selectors import DatabaseBlockSource
        from realtime.sources import register_block_source

        register_block_source(DatabaseBlockSource())
        user_status_changing.connect(who_knows, dispatch_uid="contacts.who_knows")
        user_status_changed.connect(forget_pairs, dispatch_uid="contacts.forget_pairs")
        user_leaving.connect(forget_user, dispatch_uid="contacts.forget_user")
