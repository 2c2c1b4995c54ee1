"""Finding questions in the log: a bot reads on from its cursor, as a client would."""

from django.db import transaction

from accounts.models import User
from chatbot.models import Answer, Cursor
from chatbot.questions import is_called
from chatbot.selectors import BotConversation
from common import metrics
from common.errors import NotFound
from conversations.models import Message
from conversations.schemas import MessageBody
from conversations.selectors.log import access_page_after

PAGE = 200


@transaction.atomic
def find_questions(conversation: BotConversation) -> int:
    """Read a page of what is new for a bot, and note the questions in it: how many.

    Cursor and questions are written together. Of two workers one waits for the other and
    finds the cursor moved; a question that was noted already stays as it is.
    """
    Cursor.objects.get_or_create(
        bot_id=conversation.bot_id, conversation_id=conversation.conversation_id
    )
    cursor = Cursor.objects.select_for_update(no_key=True).get(
        bot_id=conversation.bot_id, conversation_id=conversation.conversation_id
    )
    try:
        page = access_page_after(
            user_id=conversation.bot_user_id,
            conversation_id=conversation.conversation_id,
            after=max(cursor.seq, conversation.joined_seq),
            limit=PAGE,
        )
    except NotFound:
        # Put out meanwhile.
        return 0
    asked = _of_people(
        [message for message in page.messages if _is_question(message, conversation)]
    )
    Answer.objects.bulk_create(
        [
            Answer(
                bot_id=conversation.bot_id,
                conversation_id=conversation.conversation_id,
                question_seq=message.seq,
                asker_id=int(message.sender_id),
            )
            for message in asked
        ],
        ignore_conflicts=True,
    )
    # Beyond the last row of a short page there is nothing yet, up to the head it was read with.
    full = len(page.messages) == PAGE
    cursor.seq = max(cursor.seq, page.messages[-1].seq if full else page.head)
    cursor.save(update_fields=["seq"])
    metrics.BOT_QUESTIONS.inc(len(asked))
    return len(asked)


def _is_question(message: MessageBody, conversation: BotConversation) -> bool:
    if message.kind != Message.Kind.TEXT or message.deleted_at is not None:
        return False
    if int(message.sender_id) == conversation.bot_user_id:
        return False
    return not conversation.is_group or is_called(
        message.text, conversation.bot_key, by_command=conversation.by_command
    )


def _of_people(messages: list[MessageBody]) -> list[MessageBody]:
    """Without what bots say: two of them would never come to an end."""
    if not messages:
        return []
    senders = {int(message.sender_id) for message in messages}
    bots = set(User.objects.filter(id__in=senders, is_bot=True).values_list("id", flat=True))
    return [message for message in messages if int(message.sender_id) not in bots]
