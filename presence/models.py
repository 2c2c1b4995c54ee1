"""When people were last here."""

from django.db import models


class LastSeen(models.Model):
    """When a user's last socket gave its last sign of life. Written when they go, not before.

    By user id alone: this app knows no users.
    """

    user_id = models.BigIntegerField(primary_key=True)
    at = models.DateTimeField()

    class Meta:
        verbose_name_plural = "last seen"

    def __str__(self) -> str:
        return f"{self.user_id} was here at {self.at}"
