from django.apps import AppConfig


class ContactsConfig(AppConfig):
    name = "contacts"

    def ready(self) -> None:
        from accounts.signals import user_deleted, user_deleting
        from contacts.receivers import forget_user, who_knows

        user_deleting.connect(who_knows, dispatch_uid="contacts.who_knows")
        user_deleted.connect(forget_user, dispatch_uid="contacts.forget_user")
