"""One-time tickets: how a browser opens a socket without putting a token where it is logged."""

from collections.abc import Collection
from datetime import datetime, timedelta

from django.conf import settings
from django.db import connection, transaction
from django.utils import timezone

from accounts.models import Session, Ticket
from accounts.services.sessions import is_live
from accounts.tokens import hash_of, new_secret
from common.errors import ChatError, SessionEnded, WrongCredentials


@transaction.atomic
def create_ticket(*, session: Session, seconds: int | None = None) -> tuple[str, datetime]:
    """A new ticket of the session, good for TICKET_SECONDS or `seconds`, and its expiry."""
    now = timezone.now()
    # Nobody else ever looks at what was not spent in time.
    session.tickets.filter(expires_at__lte=now).delete()
    ticket = new_secret()
    expires_at = now + timedelta(seconds=settings.TICKET_SECONDS if seconds is None else seconds)
    Ticket.objects.create(hash=hash_of(ticket), session=session, expires_at=expires_at)
    return ticket, expires_at


def spend_ticket(ticket: str) -> Session:
    """The session of a ticket, with its user; of many who bring the same, one gets it.

    WrongCredentials for a ticket that is unknown, spent or expired, SessionEnded when its
    session is.
    """
    outcome = spend_tickets([ticket])[ticket]
    if isinstance(outcome, ChatError):
        raise outcome
    return outcome


def spend_tickets(tickets: Collection[str]) -> dict[str, Session | ChatError]:
    """`spend_ticket` for many at once: for each its session, or why there is none."""
    hashes = {hash_of(ticket): ticket for ticket in tickets}
    spent, sessions = _spend(hashes)
    outcomes: dict[str, Session | ChatError] = {}
    for hashed, ticket in hashes.items():
        session = sessions.get(spent.get(hashed, 0))
        if hashed not in spent:
            outcomes[ticket] = WrongCredentials()
        elif session is None or not is_live(session):
            outcomes[ticket] = SessionEnded()
        else:
            outcomes[ticket] = session
    return outcomes


@transaction.atomic
def _spend(hashes: Collection[str]) -> tuple[dict[str, int], dict[int, Session]]:
    """The session ids of those that were good, by hash, and these sessions by id."""
    table = Ticket._meta.db_table
    places = ", ".join(["%s"] * len(hashes))
    # What somebody else is spending is theirs: nobody waits for that.
    can_skip = connection.features.has_select_for_update_skip_locked
    lock = "FOR UPDATE SKIP LOCKED" if can_skip else ""
    # Finding them, checking their time and spending them are one statement.
    with connection.cursor() as cursor:
        cursor.execute(
            f"DELETE FROM {table} WHERE hash IN (SELECT hash FROM {table}"  # noqa: S608 - our own table's name
            f" WHERE hash IN ({places}) AND expires_at > %s {lock}) RETURNING hash, session_id",
            [*hashes, connection.ops.adapt_datetimefield_value(timezone.now())],
        )
        spent = dict(cursor.fetchall())
    return spent, Session.objects.select_related("user").in_bulk(set(spent.values()))
