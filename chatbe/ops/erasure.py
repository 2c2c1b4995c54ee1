"""Erasing somebody: their account, and if wanted what they wrote.

In steps, each of which may be taken again: whoever is killed between two, or in the middle
of one, runs it once more. The account goes last, so that its name leads to it until then.
"""

from collections.abc import Iterator

from accounts.models import User
from accounts.services import erase_account, set_user_active
from chatbe.ops.joined import USER_DATA
from chatbot.services.erasing import empty_answers_to, places_of_answers_to
from conversations.selectors.authored import count_own_texts
from conversations.services.bulk_delete import empty_texts_of
from groups.services.abandoned import empty_abandoned_groups
from moderation.models import Report
from moderation.services.evidence import forget_texts_of


def what_is_kept(user_id: int) -> dict[str, int]:
    """How many rows of each sort there are about a user."""
    kept = {belonging.name: belonging.rows(user_id).count() for belonging in USER_DATA}
    about = Report.objects.filter(user_id=user_id, status=Report.Status.OPEN)
    return kept | {"texts": count_own_texts(user_id), "open_reports_about": about.count()}


def erase_user(user_id: int, *, empty_messages: bool) -> Iterator[int]:
    """Erase a user, once or again; yields how many messages each batch has emptied. NotFound."""
    if not User.objects.filter(id=user_id, is_active=False).exists():
        # From here on they write nothing that would have to be emptied after all.
        set_user_active(user_id=user_id, is_active=False)
    if empty_messages:
        yield from _empty_everything(user_id)
    erase_account(user_id=user_id)
    if empty_messages:
        # What was on its way into a group, or asked of a bot, when they were deactivated.
        yield from _empty_everything(user_id)


def _empty_everything(user_id: int) -> Iterator[int]:
    """Their words, wherever they are: messages, answers to them, evidence, groups of nobody."""
    yield from empty_texts_of(user_id)
    yield from empty_answers_to(user_id)
    yield from forget_texts_of(user_id, answers=places_of_answers_to(user_id))
    yield from empty_abandoned_groups(user_id)
