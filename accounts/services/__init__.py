"""Everything that changes users, their sessions and what belongs to them."""

from accounts.services.deletion import delete_account, erase_account
from accounts.services.emails import confirm_email, resend_confirmation
from accounts.services.login import log_in, verify_login
from accounts.services.notices import broadcast_notice, mark_notice_seen
from accounts.services.passwords import (
    change_password,
    request_password_reset,
    reset_password,
    set_password,
)
from accounts.services.profiles import update_profile
from accounts.services.sessions import (
    Tokens,
    authenticate_token,
    authenticate_tokens,
    disconnect_user,
    end_all_sessions,
    end_other_sessions,
    end_session,
    end_sessions,
    load_session,
    log_out,
    refresh_session,
    start_session,
    touch_sessions,
)
from accounts.services.staff import end_admin_logins, set_user_staff
from accounts.services.tickets import create_ticket, spend_ticket, spend_tickets
from accounts.services.users import register_user, set_user_active

__all__ = [
    "Tokens",
    "authenticate_token",
    "authenticate_tokens",
    "broadcast_notice",
    "change_password",
    "confirm_email",
    "create_ticket",
    "delete_account",
    "disconnect_user",
    "end_admin_logins",
    "end_all_sessions",
    "end_other_sessions",
    "end_session",
    "end_sessions",
    "erase_account",
    "load_session",
    "log_in",
    "log_out",
    "mark_notice_seen",
    "refresh_session",
    "register_user",
    "request_password_reset",
    "resend_confirmation",
    "reset_password",
    "set_password",
    "set_user_active",
    "set_user_staff",
    "spend_ticket",
    "spend_tickets",
    "start_session",
    "touch_sessions",
    "update_profile",
    "verify_login",
]
