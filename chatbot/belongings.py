"""What bots know of a user, for the user; questions and answers are messages."""

from chatbe.core.batches import Belonging
from chatbot.models import Answer, Reminder

BELONGINGS = (
    Belonging(
        "questions",
        ("conversation_id", "question_seq", "bot__user_id", "status"),
        lambda user_id: Answer.objects.filter(asker_id=user_id),
    ),
    Belonging(
        "reminders",
        ("answer__conversation_id", "due_at", "text"),
        lambda user_id: Reminder.objects.filter(answer__asker_id=user_id, open=True),
    ),
)
