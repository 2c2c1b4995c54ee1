"""What bots know of a user, for the user. Questions and answers are messages like others."""

from chatbe.core.batches import Belonging
from chatbot.models import Reminder

BELONGINGS = (
    Belonging(
        "reminders",
        ("due_at", "text"),
        lambda user_id: Reminder.objects.filter(answer__asker_id=user_id, open=True),
    ),
)
