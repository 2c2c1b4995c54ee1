"""Changes of a log that are made inside a service's own transaction.

The caller has locked the conversation's row, first of all conversations' rows, and
passes it here; each change takes the next position and is told once it is committed.
"""

from collections.abc import Iterable, Sequence

from django.db import connection, transaction
from django.utils import timezone

from common.errors import NotFound
from common.ids import new_id
from conversations.models import Conversation, Message
from conversations.schemas import MESSAGE_COLUMNS, MessageBody, MessageRow, SystemBody, encode
from realtime import announce
from realtime.channel import LogEvent
from realtime.frames import message_changed, message_created


def lock_conversation(conversation_id: int) -> Conversation:
    """The conversation, locked until the caller's transaction ends. NotFound."""
    rows = Conversation.objects.select_for_update(no_key=True).filter(id=conversation_id)
    conversation = rows.first()
    if conversation is None:
        raise NotFound
    return conversation


def append_system(
    conversation: Conversation,
    *,
    actor_id: int,
    action: str,
    user_ids: Iterable[int] = (),
    value: str = "",
    leaves: Iterable[int] = (),
    reread: bool = False,
) -> int:
    """Say in the log what was done to the conversation; the position that took.

    For the users in `leaves` it is the last one. `reread` when the rules have changed by
    which members may post. The other fields of the row that were set are saved, too.
    """
    id = new_id()
    conversation.last_seq += 1
    conversation.save()
    system = SystemBody(action, [str(user_id) for user_id in user_ids], value)
    message = Message.objects.create(
        id=id,
        conversation=conversation,
        seq=conversation.last_seq,
        changed_seq=conversation.last_seq,
        number=conversation.message_count,
        sender_id=actor_id,
        # No client's: those have no spaces.
        client_id=f"system {id}",
        digest=b"",
        kind=Message.Kind.SYSTEM,
        text=encode(system).decode(),
        created_at=timezone.now(),
    )
    body = message_body(message)
    event = LogEvent(
        conversation_id=conversation.id,
        position=body.seq,
        seq=body.seq,
        frame=message_created(encode(body)),
        leaves=tuple(leaves),
        reread=reread,
    )
    transaction.on_commit(lambda: announce.log_events([event]))
    return body.seq


def append_change(conversation: Conversation, message: Message) -> MessageBody:
    """Save a changed message and give the change its position; the message as it is now."""
    [body] = append_changes(conversation, [message])
    return body


def append_changes(conversation: Conversation, messages: Sequence[Message]) -> list[MessageBody]:
    """The same for many, in the order they are given in, with as few statements."""
    for message in messages:
        conversation.last_seq += 1
        message.changed_seq = conversation.last_seq
    conversation.save(update_fields=["last_seq"])
    moment = connection.ops.adapt_datetimefield_value
    with connection.cursor() as cursor:
        cursor.executemany(
            "UPDATE conversations_message"
            " SET text = %s, edited_at = %s, deleted_at = %s, changed_seq = %s WHERE id = %s",
            [
                (m.text, moment(m.edited_at), moment(m.deleted_at), m.changed_seq, m.id)
                for m in messages
            ],
        )
    bodies = [message_body(message) for message in messages]
    events = [
        LogEvent(
            conversation_id=conversation.id,
            position=body.changed_seq,
            seq=body.seq,
            frame=message_changed(encode(body)),
        )
        for body in bodies
    ]
    transaction.on_commit(lambda: announce.log_events(events))
    return bodies


def message_body(message: Message) -> MessageBody:
    """A row in hand, as readers see it."""
    return MessageRow(*(getattr(message, column) for column in MESSAGE_COLUMNS)).body()
