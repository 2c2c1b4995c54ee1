"""`manage.py migrate`: Django's, with as much time as it takes."""

from typing import Any

from django.core.management.commands import migrate

from common.database_role import set_role_limits, without_statement_timeout


class Command(migrate.Command):
    """Django's command, which knows no other time limits than those of ours."""

    help = "Bring the database up to date, however long a change of a large table takes."

    def handle(self, *args: Any, **options: Any) -> None:
        with without_statement_timeout():
            super().handle(*args, **options)
        set_role_limits()
