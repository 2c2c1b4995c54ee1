"""One-time tickets: how a browser opens a socket without putting a token where it is logged."""

from datetime import datetime, timedelta

from django.conf import settings
from django.db import connection, transaction
from django.utils import timezone

from accounts.models import Session, Ticket
from accounts.services.sessions import use_session
from accounts.tokens import hash_of, new_secret
from chatbe.core.errors import SessionEnded, WrongCredentials


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
    table = Ticket._meta.db_table
    # Finding it, checking its time and spending it are one statement. The transaction is
    # for SQLite, where the statement runs until its result has been read.
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(
            f"DELETE FROM {table} WHERE hash = %s AND expires_at > %s RETURNING session_id",  # noqa: S608 - our own table's name
            [hash_of(ticket), connection.ops.adapt_datetimefield_value(timezone.now())],
        )
        rows = cursor.fetchall()
    if not rows:
        raise WrongCredentials
    session = Session.objects.select_related("user").filter(id=rows[0][0]).first()
    if session is None:
        raise SessionEnded
    return use_session(session)
