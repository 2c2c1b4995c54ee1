"""What governs a group beside its conversation: settings, invitations, who asks to join.

Name, members and what a send must check are in the conversation's own rows.
"""

from django.conf import settings
from django.db import models
from django.db.models import Q

from common.ids import new_id
from conversations.models import Conversation

DESCRIPTION_MAX = 1_000


class History(models.TextChoices):
    """Where the log begins for who joins."""

    JOINING = "joining"
    ALL = "all"


class InvitePolicy(models.TextChoices):
    """Who may add people and make invitations."""

    ADMINS = "admins"
    MEMBERS = "members"


class Group(models.Model):
    """How a conversation of kind "group" is governed. Changes under the conversation's lock."""

    conversation = models.OneToOneField(
        Conversation, primary_key=True, on_delete=models.CASCADE, related_name="group"
    )
    description = models.TextField(max_length=DESCRIPTION_MAX, blank=True)
    history = models.CharField(max_length=7, choices=History, default=History.JOINING)
    invite_policy = models.CharField(
        max_length=7, choices=InvitePolicy, default=InvitePolicy.ADMINS
    )
    # Who made it and what they called that: the same again is not another group.
    creator = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+", db_index=False
    )
    client_id = models.CharField(max_length=64, blank=True, editable=False)
    created_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["creator", "client_id"], condition=~Q(client_id=""), name="groups_made_once"
            )
        ]

    def __str__(self) -> str:
        return f"group {self.conversation_id}"


class Invitation(models.Model):
    """A link that makes whoever has it a member. Only the hash of its token is stored.

    A use is a join, or a request to join where that needs approval.
    """

    id = models.BigIntegerField(primary_key=True, default=new_id, editable=False)
    group = models.ForeignKey(Group, on_delete=models.CASCADE, related_name="invitations")
    hash = models.CharField(max_length=64, unique=True, editable=False)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+", db_index=False
    )
    created_at = models.DateTimeField()
    expires_at = models.DateTimeField(null=True, blank=True)
    max_uses = models.PositiveIntegerField(null=True, blank=True)
    uses = models.PositiveIntegerField(default=0)
    needs_approval = models.BooleanField(default=False)
    revoked_at = models.DateTimeField(null=True, blank=True)

    def __str__(self) -> str:
        return f"invitation {self.id}"


class JoinRequest(models.Model):
    """`user` came by an invitation that needs approval, and waits."""

    id = models.BigIntegerField(primary_key=True, default=new_id, editable=False)
    group = models.ForeignKey(
        Group, on_delete=models.CASCADE, related_name="join_requests", db_index=False
    )
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="join_requests"
    )
    invitation = models.ForeignKey(
        Invitation, on_delete=models.CASCADE, related_name="join_requests"
    )
    created_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["group", "user"], name="groups_one_request_per_user")
        ]

    def __str__(self) -> str:
        return f"{self.user_id} asks to join {self.group_id}"
