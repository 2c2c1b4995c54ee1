"""Conversations, who takes part in them, and the log of each.

The log is the product: a conversation's row counts its positions, every durable
change takes the next one under the row's lock, and what a client missed is one
range read on (conversation, changed_seq).
"""

from django.conf import settings
from django.db import models
from django.db.models import F, Q

from common.ids import new_id

NAME_MAX = 100


class Conversation(models.Model):
    """A numbered log and what an append must check under its lock.

    The row is rewritten by every send: it stays small, is stored with room to spare
    (fillfactor, see migrations) and has no index on what a send changes.
    """

    class Kind(models.TextChoices):
        DIRECT = "direct"
        GROUP = "group"

    id = models.BigIntegerField(primary_key=True, default=new_id, editable=False)
    kind = models.CharField(max_length=10, choices=Kind.choices)
    last_seq = models.BigIntegerField(default=0)
    message_count = models.BigIntegerField(default=0)
    # Of a group; a direct conversation is called after the other person.
    name = models.CharField(max_length=NAME_MAX, blank=True)
    # Current ones, counted under the row's lock.
    member_count = models.IntegerField(default=0)
    # Only owners and admins write.
    announcement_only = models.BooleanField(default=False)
    # How long members wait between two messages of theirs; 0 is not at all.
    slow_seconds = models.PositiveSmallIntegerField(default=0)
    # Nobody writes any more.
    closed_at = models.DateTimeField(null=True, blank=True)
    # The two people of a direct conversation, the smaller id first.
    low_user_id = models.BigIntegerField(null=True, editable=False)
    high_user_id = models.BigIntegerField(null=True, editable=False)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["low_user_id", "high_user_id"], name="conversations_one_direct_per_pair"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.id}"


class Membership(models.Model):
    """One user's part in one conversation.

    `visible_from` is the first position this member may read, `joined_seq` the head
    when they joined, `left_seq` the last position they could read once they have
    left. `read_number` is the number of the last text message at or before
    `read_seq`; what is unread follows from it. `may_send` is about this member alone:
    whether they may post now is `MAY_POST` in selectors/posting.py.
    """

    class Role(models.TextChoices):
        OWNER = "owner"
        ADMIN = "admin"
        MEMBER = "member"

    conversation = models.ForeignKey(
        Conversation, on_delete=models.CASCADE, related_name="memberships", db_index=False
    )
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="memberships"
    )
    role = models.CharField(max_length=6, choices=Role, default=Role.MEMBER)
    may_send = models.BooleanField(default=True)
    # When slow mode lets them write again.
    slow_until = models.DateTimeField(null=True, blank=True)
    visible_from = models.BigIntegerField(default=1)
    joined_seq = models.BigIntegerField(default=0)
    left_seq = models.BigIntegerField(null=True, blank=True)
    read_seq = models.BigIntegerField(default=0)
    read_number = models.BigIntegerField(default=0)
    delivered_seq = models.BigIntegerField(default=0)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["conversation", "user"], name="conversations_one_membership"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.user_id} in {self.conversation_id}"


class Message(models.Model):
    """One row of a log, addressed by (conversation, seq).

    `seq` is its place, `changed_seq` the place of its last change, `number` counts the
    text messages up to it. `digest` is a keyed hash of what was sent, so that a retry
    can be told from another message also after an edit or a deletion. The text of a
    system row is the JSON of a `SystemBody` (wire.py); such rows never change while anybody
    could see them.

    There are no foreign keys in the database: users and conversations are emptied,
    never deleted, and a deferred key would fail a whole batch at COMMIT.
    """

    class Kind(models.TextChoices):
        TEXT = "text"
        SYSTEM = "system"

    id = models.BigIntegerField(primary_key=True, editable=False)
    conversation = models.ForeignKey(
        Conversation,
        on_delete=models.DO_NOTHING,
        related_name="messages",
        db_constraint=False,
        db_index=False,
    )
    seq = models.BigIntegerField()
    changed_seq = models.BigIntegerField()
    number = models.BigIntegerField()
    sender = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.DO_NOTHING,
        related_name="+",
        db_constraint=False,
        db_index=False,
    )
    client_id = models.CharField(max_length=64)
    digest = models.BinaryField(max_length=16)
    kind = models.CharField(max_length=10, choices=Kind.choices, default=Kind.TEXT)
    text = models.TextField()
    reply_to = models.BigIntegerField(null=True, blank=True)
    created_at = models.DateTimeField()
    edited_at = models.DateTimeField(null=True, blank=True)
    deleted_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        permissions = [("read_message_text", "Can read the text of messages")]
        constraints = [
            models.UniqueConstraint(
                fields=["conversation", "seq"], name="conversations_message_place"
            ),
            models.UniqueConstraint(
                fields=["conversation", "sender", "client_id"],
                name="conversations_message_once",
            ),
        ]
        indexes = [
            # Only rows that were changed after they were written: for all others
            # changed_seq is seq, and a send has one index less to write.
            models.Index(
                fields=["conversation", "changed_seq"],
                condition=Q(changed_seq__gt=F("seq")),
                name="conversations_message_change",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.conversation_id}/{self.seq}"
