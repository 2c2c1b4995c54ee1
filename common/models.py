"""What an installation is, in one row."""

import uuid

from django.db import models


class Installation(models.Model):
    """The single row (id 1) that names this database.

    `epoch` changes when the database is restored from a backup: cursors that clients
    took from the lost future must not be trusted any more.
    """

    id = models.PositiveSmallIntegerField(primary_key=True, default=1)
    epoch = models.UUIDField(default=uuid.uuid4)

    def __str__(self) -> str:
        return f"installation {self.epoch}"

    @classmethod
    def current_epoch(cls) -> str:
        """The epoch as clients see it; made where a test has emptied the table."""
        return str(cls.objects.get_or_create(id=1)[0].epoch)
