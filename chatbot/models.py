"""Bots, how far each has read, what it was asked, and what it is to remind people of.

A bot finds its questions in the log, as any client finds what it missed: by a cursor for
each conversation. Nothing here is a queue beside the log: a cursor that is set back finds
the same questions again, and each is still answered once.
"""

from django.conf import settings
from django.db import models
from django.db.models import Q

from accounts.models import User
from common.ids import new_id
from conversations.models import Conversation

# Not its own, but that of CHATBOT_BASE_URL if it is set, else the embedded one.
CONFIGURED = ""


class Bot(models.Model):
    """A user that a program speaks for. What is empty here is as the settings say.

    Addresses and keys of providers stand in the settings only: whoever may edit a bot
    must not be able to send the server, or its key, anywhere else.
    """

    class Provider(models.TextChoices):
        CONFIGURED = CONFIGURED, "as configured"
        EMBEDDED = "embedded", "embedded"
        OPENAI = "openai", "the provider at CHATBOT_BASE_URL"

    id = models.BigIntegerField(primary_key=True, default=new_id, editable=False)
    user = models.OneToOneField(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="program", editable=False
    )
    enabled = models.BooleanField(
        default=True, help_text="What is asked while this is off waits until it is on again."
    )
    provider = models.CharField(
        max_length=10, choices=Provider, default=Provider.CONFIGURED, blank=True
    )
    model = models.CharField(max_length=200, blank=True, help_text="Empty: CHATBOT_MODEL.")
    system_prompt = models.TextField(
        blank=True,
        max_length=8_000,
        help_text="Empty: CHATBOT_SYSTEM_PROMPT. No place for secrets.",
    )
    # Questions a day; 0 is no limit.
    per_user = models.PositiveIntegerField(
        null=True, blank=True, help_text="Questions a day of one user. Empty: the setting."
    )
    per_conversation = models.PositiveIntegerField(
        null=True, blank=True, help_text="Questions a day in one conversation. Empty: the setting."
    )
    per_day = models.PositiveIntegerField(
        null=True, blank=True, help_text="Questions a day altogether. Empty: the setting."
    )

    def __str__(self) -> str:
        return f"bot {self.user_id}"


class Cursor(models.Model):
    """Up to where a bot has looked for questions in one conversation.

    A log has no gaps and is committed in its order, so nothing can turn up behind this.
    """

    bot = models.ForeignKey(Bot, on_delete=models.CASCADE, related_name="+", db_index=False)
    conversation = models.ForeignKey(
        Conversation, on_delete=models.CASCADE, related_name="+", db_index=False
    )
    seq = models.BigIntegerField(default=0)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["conversation", "bot"], name="chatbot_one_cursor"),
        ]

    def __str__(self) -> str:
        return f"{self.bot_id} in {self.conversation_id}: {self.seq}"


class Answer(models.Model):
    """A question and what becomes of it: one row, one request at most, one message.

    `waiting` until a worker takes it, `asked` from before the request, `answering` from the
    first text on; every other status is how it ended. The row is `open` until the message
    of that end is in the log, or cannot be. Whoever is answering says so in `worker` and
    `heartbeat_at`; a row whose worker was silent for too long belongs to the next, who ends
    it with the text there is and never asks again.
    """

    class Status(models.TextChoices):
        WAITING = "waiting"
        ASKED = "asked"
        ANSWERING = "answering"
        DONE = "done"
        INTERRUPTED = "interrupted"
        FAILED = "failed"
        CANCELLED = "cancelled"
        REFUSED = "refused"

    id = models.BigIntegerField(primary_key=True, default=new_id, editable=False)
    bot = models.ForeignKey(Bot, on_delete=models.CASCADE, related_name="answers", db_index=False)
    conversation = models.ForeignKey(
        Conversation,
        on_delete=models.DO_NOTHING,
        related_name="answers",
        db_constraint=False,
        db_index=False,
    )
    question_seq = models.BigIntegerField()
    asker = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.DO_NOTHING,
        related_name="+",
        db_constraint=False,
        db_index=False,
    )
    status = models.CharField(max_length=11, choices=Status, default=Status.WAITING)
    open = models.BooleanField(default=True)
    # What went wrong, in one word (providers/faults.py).
    fault = models.CharField(max_length=20, blank=True)
    # The text so far, then that of the message; empty once the message is in the log.
    text = models.TextField(blank=True)
    cancel_asked = models.BooleanField(default=False)
    worker = models.CharField(max_length=32, blank=True)
    heartbeat_at = models.DateTimeField(null=True, blank=True)
    # Before the request; what was never asked costs nothing.
    asked_at = models.DateTimeField(null=True, blank=True)
    # When its end was decided: `status` and `text` are the last.
    ended_at = models.DateTimeField(null=True, blank=True)
    # The message's place.
    seq = models.BigIntegerField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["conversation", "question_seq", "bot"], name="chatbot_one_answer"
            ),
        ]
        indexes = [
            models.Index(fields=["bot", "id"], condition=Q(open=True), name="chatbot_open"),
            models.Index(fields=["bot", "asked_at"], name="chatbot_asked"),
        ]

    def __str__(self) -> str:
        return f"{self.conversation_id}/{self.question_seq} by {self.bot_id}"

    @property
    def client_id(self) -> str:
        """Of the message: however often it is sent, it is one."""
        return f"answer-{self.question_seq}"


class Reminder(models.Model):
    """Something a bot is to say at a time, once."""

    id = models.BigIntegerField(primary_key=True, default=new_id, editable=False)
    # The question that asked for it: asked twice, it would be found by this.
    answer = models.OneToOneField(Answer, on_delete=models.CASCADE, related_name="reminder")
    due_at = models.DateTimeField()
    # Empty once it was said.
    text = models.TextField()
    open = models.BooleanField(default=True)

    class Meta:
        indexes = [
            models.Index(fields=["due_at"], condition=Q(open=True), name="chatbot_due"),
        ]

    def __str__(self) -> str:
        return f"reminder {self.id}"

    @property
    def client_id(self) -> str:
        return f"reminder-{self.id}"


def bot_users() -> models.QuerySet[User]:
    """The users of bots that may answer."""
    return User.objects.filter(is_bot=True, is_active=True, program__enabled=True)
