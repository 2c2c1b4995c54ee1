"""Who knows whom, and who wants nothing from whom."""

from django.conf import settings
from django.db import models

from common.ids import new_id

ALIAS_MAX = 64


class Contact(models.Model):
    """`user` is in the list of `owner`, who may call them something else there.

    Always mutual: two rows, or none.
    """

    id = models.BigIntegerField(primary_key=True, default=new_id, editable=False)
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="contacts", db_index=False
    )
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="contact_of"
    )
    alias = models.CharField(max_length=ALIAS_MAX, blank=True)
    created_at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["owner", "user"], name="contact_pair")]

    def __str__(self) -> str:
        return f"{self.owner_id} knows {self.user_id}"


class ContactRequest(models.Model):
    """`sender` would like to be a contact of `receiver`, who sees it until they decline.

    The sender is not told of that and goes on seeing it. Withdrawn after a decline, it is
    seen by neither, but kept: asking anew must be no way around the pause.
    """

    id = models.BigIntegerField(primary_key=True, default=new_id, editable=False)
    sender = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.CASCADE,
        related_name="contact_requests",
        db_index=False,
    )
    receiver = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="contact_requests_received"
    )
    created_at = models.DateTimeField()
    declined_at = models.DateTimeField(null=True)
    withdrawn = models.BooleanField(default=False)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["sender", "receiver"], name="contact_request_pair")
        ]

    def __str__(self) -> str:
        return f"{self.sender_id} asks {self.receiver_id}"


class Block(models.Model):
    """`blocker` is gone for `blocked`, and hears nothing of them."""

    id = models.BigIntegerField(primary_key=True, default=new_id, editable=False)
    blocker = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="blocks", db_index=False
    )
    blocked = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="blocked_by"
    )
    created_at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["blocker", "blocked"], name="block_pair")]

    def __str__(self) -> str:
        return f"{self.blocker_id} blocks {self.blocked_id}"
