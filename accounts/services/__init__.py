"""Everything that changes users, sessions and tickets."""

from accounts.services.login import log_in, verify_login
from accounts.services.sessions import (
    Tokens,
    authenticate_token,
    end_other_sessions,
    end_session,
    end_sessions,
    log_out,
    refresh_session,
    start_session,
)
from accounts.services.staff import set_user_staff
from accounts.services.tickets import create_ticket, spend_ticket
from accounts.services.users import change_password, register_user, set_user_active

__all__ = [
    "Tokens",
    "authenticate_token",
    "change_password",
    "create_ticket",
    "end_other_sessions",
    "end_session",
    "end_sessions",
    "log_in",
    "log_out",
    "refresh_session",
    "register_user",
    "set_user_active",
    "set_user_staff",
    "spend_ticket",
    "start_session",
    "verify_login",
]
