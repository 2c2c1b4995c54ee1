"""`manage.py runserver`: daphne's, which says who else could reach it."""

from typing import Any

from daphne.management.commands.runserver import Command as DaphneCommand
from django.conf import settings

from chatbe.server.listening import exposure


class Command(DaphneCommand):  # type: ignore[misc]  # it ships no types
    def inner_run(self, *args: Any, **options: Any) -> None:
        if not settings.PRODUCTION and (warning := exposure(self.addr)):
            self.stderr.write(warning, self.style.WARNING)
        super().inner_run(*args, **options)
