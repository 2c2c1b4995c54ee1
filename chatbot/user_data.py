"""What bots know of a user, for the user. Questions and answers are messages like others."""

from chatbot.models import Reminder
from common.batches import UserDataExport

USER_DATA = (
    UserDataExport(
        "reminders",
        ("due_at", "text"),
        lambda user_id: Reminder.objects.filter(answer__asker_id=user_id, open=True),
    ),
)
