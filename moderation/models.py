"""What users complain about, and what moderators did: a queue and a book that only grows."""

from typing import Any, ClassVar, NoReturn

from django.conf import settings
from django.db import models
from django.db.models import Q

from common.ids import new_id

COMMENT_MAX = 1000
REASON_MAX = 1000


class Action(models.TextChoices):
    """What a moderator did, as the audit log calls it."""

    USER_BANNED = "user.banned"
    USER_UNBANNED = "user.unbanned"
    USER_STAFF_CHANGED = "user.staff_changed"
    SESSIONS_RESET = "sessions.reset"
    SESSION_ENDED = "session.ended"
    GROUP_CLOSED = "group.closed"
    MEMBER_REMOVED = "member.removed"
    ROLE_CHANGED = "role.changed"
    MESSAGE_DELETED = "message.deleted"
    TEXTS_OPENED = "texts.opened"
    TEXTS_READ = "texts.read"
    REPORT_UPHELD = "report.upheld"
    REPORT_DISMISSED = "report.dismissed"


class Target(models.TextChoices):
    """What it was done to."""

    USER = "user"
    SESSION = "session"
    CONVERSATION = "conversation"
    REPORT = "report"


class AppendOnlyQuerySet(models.QuerySet["AuditEntry"]):
    """Rows can be added and read."""

    def update(self, **_: Any) -> NoReturn:
        _refuse()

    def delete(self) -> NoReturn:
        _refuse()


class AuditEntry(models.Model):
    """One thing a moderator did or read. Never changed, never removed.

    The database refuses both as well (see migrations). It names people by id, and has no
    keys into other tables: nothing that happens to them reaches it.
    """

    id = models.BigIntegerField(primary_key=True, default=new_id, editable=False)
    at = models.DateTimeField(auto_now_add=True)
    actor_id = models.BigIntegerField(db_index=True)
    # As they were called then.
    actor_name = models.CharField(max_length=150)
    action = models.CharField(max_length=24, choices=Action)
    target_kind = models.CharField(max_length=16, choices=Target)
    target_id = models.BigIntegerField(db_index=True)
    reason = models.CharField(max_length=REASON_MAX, blank=True)
    details = models.JSONField(default=dict)

    objects: ClassVar[models.Manager["AuditEntry"]] = models.Manager.from_queryset(
        AppendOnlyQuerySet
    )()

    class Meta:
        verbose_name_plural = "audit log"
        permissions = [("view_figures", "Can see the figures of the start page")]

    def __str__(self) -> str:
        return f"{self.action} {self.target_kind} {self.target_id}"

    def save(self, **options: Any) -> None:
        if not self._state.adding:
            _refuse()
        super().save(**{**options, "force_insert": True})

    def delete(self, using: Any = None, keep_parents: bool = False) -> NoReturn:  # noqa: FBT001, FBT002 - Django's signature
        _refuse()


def _refuse() -> NoReturn:
    raise TypeError("the audit log only grows")


class Report(models.Model):
    """Somebody asks the moderators to look at a message, or at a user.

    `user` is whom it is about, of a message its sender. `evidence` is what the reporter
    could see when they said so: it stays when the message goes.
    """

    class Kind(models.TextChoices):
        MESSAGE = "message"
        USER = "user"

    class Reason(models.TextChoices):
        SPAM = "spam"
        HARASSMENT = "harassment"
        HATE = "hate"
        VIOLENCE = "violence"
        SEXUAL = "sexual"
        SELF_HARM = "self_harm"
        ILLEGAL = "illegal"
        IMPERSONATION = "impersonation"
        OTHER = "other"

    class Status(models.TextChoices):
        OPEN = "open"
        UPHELD = "upheld"
        DISMISSED = "dismissed"

    id = models.BigIntegerField(primary_key=True, default=new_id, editable=False)
    reporter = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="reports_made"
    )
    kind = models.CharField(max_length=8, choices=Kind)
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="reports_about"
    )
    # No foreign key: rows of the log are no keys of anybody's.
    conversation_id = models.BigIntegerField(null=True, db_index=True)
    seq = models.BigIntegerField(null=True)
    reason = models.CharField(max_length=16, choices=Reason)
    comment = models.CharField(max_length=COMMENT_MAX, blank=True)
    evidence = models.JSONField(default=dict)
    created_at = models.DateTimeField(auto_now_add=True)
    status = models.CharField(max_length=10, choices=Status, default=Status.OPEN)
    handled_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.PROTECT,
        null=True,
        related_name="+",
        db_index=False,
    )
    handled_at = models.DateTimeField(null=True)
    note = models.CharField(max_length=REASON_MAX, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["reporter", "conversation_id", "seq"],
                condition=Q(status="open", kind="message"),
                name="moderation_one_open_per_message",
            ),
            models.UniqueConstraint(
                fields=["reporter", "user"],
                condition=Q(status="open", kind="user"),
                name="moderation_one_open_per_user",
            ),
        ]
        indexes = [
            # The queue, whatever number of reports lies behind it.
            models.Index(fields=["id"], condition=Q(status="open"), name="moderation_queue"),
        ]

    def __str__(self) -> str:
        return f"report {self.id}"
