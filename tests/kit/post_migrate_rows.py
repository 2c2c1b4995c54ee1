"""What migrations leave behind them, put back whenever a test has emptied all tables.

Django sends `post_migrate` to every app instead, to the same end: after hundreds of tests
that is minutes.
"""

from typing import Any

from django.apps import apps
from django.core.management import call_command
from django.core.management.commands import flush
from django.db import transaction
from django.db.models import Model


def keep_leavings(patch: Any) -> None:
    """Remember what there is after a flush, and have later ones put that back."""
    call_command("flush", interactive=False, verbosity=0)
    models: list[type[Model]] = apps.get_models(include_auto_created=True)
    kept = {model: rows for model in models if (rows := list(model._default_manager.all()))}

    def put_back(*_: Any, **__: Any) -> None:
        # They point at each other, which is looked at by COMMIT.
        with transaction.atomic():
            for model, rows in kept.items():
                model._default_manager.bulk_create(rows)

    patch.setattr(flush, "emit_post_migrate_signal", put_back)
