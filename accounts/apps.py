from django.apps import AppConfig

from realtime.sources import register_user_source


class AccountsConfig(AppConfig):
    name = "accounts"

    def ready(self) -> None:
        # Models can be imported only now.
        from accounts.sources import AccountsUserSource

        register_user_source(AccountsUserSource())
