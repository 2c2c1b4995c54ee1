"""Counting anew what is derived from the log and its memberships."""

from django.db import transaction
from django.db.models import OuterRef, Subquery
from django.db.models.functions import Coalesce

from common.errors import NotFound
from conversations.models import Conversation, Membership, Message


def recount(conversation_id: int) -> None:
    """Set a conversation's counters, and its members' read numbers, to what they should be. NotFound."""
    head = (
        Conversation.objects.values_list("last_seq", flat=True).filter(id=conversation_id).first()
    )
    if head is None:
        raise NotFound
    texts = Message.objects.filter(conversation_id=conversation_id, kind=Message.Kind.TEXT)
    # Up to here nothing changes any more: it is counted without the lock.
    below = texts.filter(seq__lte=head).count()
    with transaction.atomic():
        row = Conversation.objects.select_for_update(no_key=True).get(id=conversation_id)
        row.message_count = below + texts.filter(seq__gt=head).count()
        row.member_count = row.memberships.filter(left_seq=None).count()
        row.save(update_fields=["message_count", "member_count"])
    _recount_reading(conversation_id)


@transaction.atomic
def _recount_reading(conversation_id: int) -> None:
    members = Membership.objects.filter(conversation_id=conversation_id)
    # In the order in which receipts lock them.
    list(members.select_for_update(no_key=True).order_by("id").values_list("id"))
    there = Message.objects.filter(
        conversation_id=conversation_id, seq__lte=OuterRef("read_seq")
    ).order_by("-seq")
    number = Coalesce(Subquery(there.values("number")[:1]), 0)
    members.exclude(read_number=number).update(read_number=number)
